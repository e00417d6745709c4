# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Records as tokens: either all have a second text or none has; labels that are numbers are in their order."""

import types

import pytest

from seqjax.data import tokenizers
from seqjax.data.corpus import label_names, tokenise
from seqjax.data.sources import from_records
from seqjax.errors import UserError

BYTES = tokenizers.build("bytes", list)
MANY = 600  # more than are tokenised together


@pytest.mark.parametrize(("reads", "label"), [("label", "a"), ("number", "1")])
@pytest.mark.parametrize("odd", [0, 1, 512, MANY - 1])
@pytest.mark.parametrize("paired", [False, True])
def test_a_second_text_is_of_all_records_or_of_none(reads, label, odd, paired):
    one, two = {"text": "a", "label": label}, {"text": "a", "pair": "b", "label": label}
    usual, other = (two, one) if paired else (one, two)
    assert tokenise(from_records([usual] * MANY), BYTES, reads, ["a"]).pair == paired
    records = [other if i == odd else usual for i in range(MANY)]
    number, first = (2, not paired) if odd == 0 else (odd + 1, paired)
    what = "a second text in 'pair', as record 1 has" if first else "one text, as record 1 is"
    with pytest.raises(UserError, match=f"record {number}: expected {what}, found text"):
        tokenise(from_records(records), BYTES, reads, ["a"])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "2", "0", "1", "2"], ("0", "1", "2", "10")),
        (["b", "a10", "a2"], ("a10", "a2", "b")),
        (["10", "2", "x"], ("10", "2", "x")),
    ],
)
def test_labels_that_are_all_whole_numbers_are_sorted_as_numbers(labels, expected):
    assert label_names(from_records([{"text": "a", "label": label} for label in labels]), "label") == expected


def test_a_tokenizer_without_an_end_is_refused():
    tokenizer = types.SimpleNamespace(eos=-1)
    with pytest.raises(UserError, match="no end token, which parts texts"):
        tokenise(from_records([{"text": "a"}]), tokenizer, "text")
