# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run of several stages: shapes, order, resume across their borders, and evaluation at the last one's length."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from seqjax.data.pipeline import Data
from seqjax.errors import UserError
from seqjax.training import checkpoint
from seqjax.training import run as runs
from seqjax.training.parallel import Parallel
from seqjax.training.prepare import prepare
from seqjax.training.run import train
from tests.training.settings import experiment, measured, text

STAGES = ((4, 8, 16), (3, 16, 4))  # then length 32, batch 8
SHAPES = [(16, 8)] * 4 + [(4, 16)] * 3 + [(8, 32)] * 5


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return text(tmp_path_factory.mktemp("text"))


def staged(spec, objective="clm", stages=STAGES, **changes):
    config = experiment(spec, objective, **changes)
    return dataclasses.replace(config, data=dataclasses.replace(config.data, stages=stages))


def batches(dataset, count, state=None):
    iterator = dataset.train(3)
    if state is not None:
        iterator.set_state(state)
    out, states = [], []
    for _ in range(count):
        out.append(next(iterator))
        states.append(json.loads(json.dumps(iterator.get_state())))
    iterator.close()
    return out, states


def same(left, right):
    for a, b in zip(left, right, strict=True):
        jax.tree.map(np.testing.assert_array_equal, dict(a), dict(b))


@pytest.mark.parametrize("objective", ["clm", "mlm"])
def test_batches_have_their_stages_shape_and_any_position_is_found_again(objective, spec):
    dataset = prepare(staged(spec, objective)).dataset
    whole, states = batches(dataset, 12)
    assert [batch["tokens"].shape for batch in whole] == SHAPES
    assert [dataset.config.shape(step)[::-1] for step in range(12)] == SHAPES
    for after in (2, 4, 5, 7, 9):  # updates: within the stages and at their borders
        same(batches(dataset, 12 - after, states[after - 1])[0], whole[after:])
    assert next(dataset.evaluation("validation", 3))["tokens"].shape[1] == 32


def test_a_stage_has_an_order_of_its_own_and_the_first_is_the_plain_runs(spec):
    plain = prepare(experiment(spec)).dataset
    same(batches(prepare(staged(spec, stages=((4, 32, 8),))).dataset, 4)[0], batches(plain, 4)[0])
    split, _ = batches(prepare(staged(spec, stages=((4, 32, 8),))).dataset, 8)
    assert not all(np.array_equal(a["tokens"], b["tokens"]) for a, b in zip(split[:4], split[4:], strict=True))
    longer, _ = batches(prepare(staged(spec, stages=((6, 16, 4), (2, 32, 8)))).dataset, 10)
    shorter, _ = batches(prepare(staged(spec, stages=((1, 16, 4), (2, 32, 8)))).dataset, 5)
    same(longer[6:], shorter[1:])  # however long the stage before it was


@pytest.mark.parametrize(
    ("backend", "border"),
    [("jit", 4), pytest.param("pmap", 6, marks=pytest.mark.exhaustive)],
    ids=["at the border", "within"],
)
def test_resume_across_a_border_is_bit_equal(backend, border, spec, tmp_path, monkeypatch):
    config = dataclasses.replace(staged(spec, accumulate=2), parallel=Parallel(backend, 2))
    compiled = []
    step = runs.train_step
    monkeypatch.setattr(runs, "train_step", lambda *a, **k: compiled.append(a[1]["tokens"].shape[1]) or step(*a, **k))
    train(config, tmp_path / "whole", quiet=True)
    assert compiled == [8, 16, 32]  # one compilation for each stage
    train(config, tmp_path / "broken", quiet=True, until=border)
    train(config, tmp_path / "broken", quiet=True)
    assert measured(tmp_path / "broken") == measured(tmp_path / "whole")
    left, right = (checkpoint.load(tmp_path / name, "newest")[1] for name in ("broken", "whole"))
    jax.tree.map(np.testing.assert_array_equal, left, right)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": ((0, 8, 4),)}, "updates"),
        ({"stages": ((4, 3, 4),)}, "a length"),
        ({"stages": ((4, 64, 4),)}, "data.length=32"),
        ({"stages": ((4, 8, 0),)}, "a batch"),
        ({"stages": ((4, 8, 4),), "layout": "bucket", "buckets": (8,)}, "data.layout=bucket"),
    ],
)
def test_stages_that_cannot_be_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        Data(length=32, **change)


def test_stages_fit_the_run_and_the_devices(spec, tmp_path):
    with pytest.raises(UserError, match=r"data.stages take 7 updates and leave none of run.steps=7"):
        staged(spec, steps=7)
    config = dataclasses.replace(staged(spec, stages=((4, 8, 6),)), parallel=Parallel("jit", 4))
    with pytest.raises(UserError, match=r"batch of 6 .* does not divide among 4 devices"):
        train(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
