# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which state stands for a text: those of the last tokens by hand, and the first never where it says nothing."""

import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.models import families
from seqjax.models.heads import pooled, pooled_segments
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.mlm import MLM
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import CosineRegression, InBatchNegatives

SMALL = {"vocab_size": 40, "layers": 1, "width": 16, "heads": 2, "mlp_width": 24}
SEGMENTS = np.array(
    [[1, 1, 1, 2, 2, 0], [1, 1, 0, 0, 0, 0], [0, 0, 1, 2, 2, 2], [0] * 6]
)  # the third padded on the left
LABELS = ("a", "b")
POOLED = {
    "classification": lambda pool: Classification(labels=LABELS, pool=pool),
    "choice": lambda pool: MultipleChoice(labels=LABELS, pool=pool),
    "regression": lambda pool: Regression(pool=pool),
    "cosine": lambda pool: CosineRegression(pool=pool),
    "towers": lambda pool: InBatchNegatives(pool=pool),
}


def test_the_last_real_state():
    x_BLD = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)
    found = pooled(x_BLD, SEGMENTS, "last")
    np.testing.assert_array_equal(found[:3], [x_BLD[0, 4], x_BLD[1, 1], x_BLD[2, 5]])
    each = pooled_segments(x_BLD, SEGMENTS, 2, "last")
    zero = np.zeros(3)
    wanted = [[x_BLD[0, 2], x_BLD[0, 4]], [x_BLD[1, 1], zero], [x_BLD[2, 2], x_BLD[2, 5]], [zero, zero]]
    np.testing.assert_allclose(each, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", POOLED)
def test_the_first_state_of_a_model_that_reads_one_way_is_refused(name):
    one_way = (families.gpt2(**SMALL), RNNConfig(vocab_size=40, width=16))
    both_ways = (families.bert(**SMALL), RNNConfig(vocab_size=40, width=16, bidirectional=True))
    for model in one_way:
        with pytest.raises(UserError, match=r"^pool=first reads .* the same for every text; set objective.pool=last$"):
            POOLED[name]("first").build(model)
        for pool in ("last", "mean"):
            POOLED[name](pool).build(model)
    for model in both_ways:
        for pool in ("first", "last", "mean"):
            POOLED[name](pool).build(model)


def test_so_are_pairs_of_entities():
    with pytest.raises(UserError, match=r"^pool=entities reads .*; use a model that reads both ways$"):
        Classification(labels=LABELS, pool="entities").build(families.gpt2(**SMALL))


def test_beside_a_language_model_a_row_is_read_both_ways():
    gpt = TransformerConfig(**SMALL)
    classes = Classification(labels=LABELS)
    Multitask((CLM(), classes), (1.0, 1.0)).build(gpt)
    with pytest.raises(UserError, match="pool=first"):
        Multitask((MLM(), classes), (1.0, 1.0)).build(gpt)


@pytest.mark.parametrize("objective", [Classification(labels=LABELS), Regression(), Tagging(labels=("O", "B-X"))])
def test_records_with_labels_are_no_stream(objective):
    """Rows of one text that is cut everywhere would all have the first record's label."""
    records = from_records([{"text": "abc", "label": "1", "words": ["abc"], "tags": ["O"]}] * 4)
    data = Dataset(Data(length=8, layout="stream"), objective, tokenizers.build("bytes", list), lambda _: records)
    with pytest.raises(UserError, match=r"data.layout=stream does not suit this objective; use pack or pad or bucket"):
        data.rows("train")
