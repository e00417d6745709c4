# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of texts as source and target: nothing lost, ends in their places, and a run that learns to copy."""

import copy
import dataclasses
import json

import numpy as np
import pytest

from seqjax.commands import runs
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import Source, from_records
from seqjax.errors import UserError
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Parallel
from seqjax.training.run import train

PAIRS = [("abc", "xy"), ("", "z"), ("a" * 30, "b" * 4), ("c" * 3, "d" * 30)]


def dataset(layout="pad", **options):
    records = from_records([{"text": a, "pair": b} for a, b in PAIRS])
    tokenizer = tokenizers.build("bytes", list)
    return Dataset(
        Data(length=12, batch=2, layout=layout, **options), TextToText(ratio=0.5), tokenizer, lambda _: records
    )


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0, 3.0])
def test_places(ratio):
    objective = TextToText(ratio=ratio)
    for length in (8, 33, 128):
        source, target = objective.places(objective.row_length(length))
        assert source == length
        assert target == objective.predictions(length)
        assert target == max(2, int(ratio * length + 1e-9))


def test_sources_and_targets_end_and_targets_are_said_one_after_the_other():
    data = dataset()
    tokenizer = data.tokenizer
    for number, (a, b) in enumerate(PAIRS):
        found = data.example("train", 0, 0, number)
        assert found["source"].shape == (12,)
        assert found["tokens"].shape == found["targets"].shape == (6,)
        source = found["source"][found["source_segments"] > 0]
        target = found["targets"][found["weights"] > 0]
        for ids, text in ((source, a), (target, b)):
            assert ids[-1] == tokenizer.eos
            said = tokenizer.decode(ids[:-1].tolist())
            assert text.startswith(said)
            assert said == text or len(text) > 5
        np.testing.assert_array_equal(found["tokens"][: len(target)], [tokenizer.pad, *target[:-1]])


def test_no_begin_token_is_needed():
    """As T5's tokenizer has none: the examples are the same."""
    data, other = dataset(), dataset()
    other.tokenizer = copy.copy(data.tokenizer)
    other.tokenizer.bos = -1
    for number in range(len(PAIRS)):
        found, wanted = (each.example("train", 0, 0, number) for each in (other, data))
        assert min(x.min() for x in found.values()) >= 0
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name], values)


def test_a_tiny_model_learns_to_copy(tmp_path):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcd"), 4)) for _ in range(400)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps({"text": t, "pair": t}) + "\n" for t in texts))
    config = Experiment(
        data=Data(Source(f"jsonl:{tmp_path}/pairs.jsonl", pair="pair"), tokenizer="bytes", length=8, batch=32, layout="pad"),
        model=TransformerConfig(
            layers=1, decoder_layers=1, width=32, heads=2, mlp_width=64, positions="rotary", dropout=0.0, init_std=0.1
        ),
        objective=TextToText(),
        optimizer=Optimizer(peak_lr=1e-2, warmup=10),
        parallel=Parallel(devices=1),
        run=Run(steps=240, eval_every=240),
    )  # fmt: skip
    outcome = train(config, tmp_path / "run", quiet=True)
    assert outcome["eval/accuracy"] > 0.95
    said = [
        runs.generate(str(tmp_path / "run"), text, 8, beams=beams)[1]
        for text, beams in zip(texts[:3], (1, 1, 3), strict=True)
    ]
    assert sum(a == b for a, b in zip(said, texts[:3], strict=True)) >= 2
    with pytest.raises(UserError, match="needs an encoder-decoder"):
        train(dataclasses.replace(config, model=TransformerConfig()), tmp_path / "other", quiet=True)
