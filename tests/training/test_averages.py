# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Schedule-free training against optax and the paper; runs that keep averages; averages of checkpoints."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from seqjax import trees
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import scorer
from seqjax.training import checkpoint
from seqjax.training.optimizers import Optimizer, averaging, build
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.prepare import reopen
from seqjax.training.run import train
from tests.training.settings import experiment, measured, text
from tests.training.test_optimizers import GRADS, PARAMS, PLAIN, same

FREE = dataclasses.replace(PLAIN, name="schedule_free")


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return text(tmp_path_factory.mktemp("text"))


def path_of(config):
    """Returns the parameters and their average after the last update."""
    optimizer, average_of = build(config, PARAMS, 10), averaging(config)
    params = average = PARAMS
    state = optimizer.init(params)
    for number, grads in enumerate(GRADS, start=1):
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        average = average_of(average, params, state, jnp.int32(number))
    return params, average


def test_schedule_free_is_optax_own():
    ours, average = path_of(dataclasses.replace(FREE, weight_decay=0.3, decay=((".*", 1.0),)))
    reference = optax.contrib.schedule_free_adamw(0.1, b2=0.9, weight_decay=0.3)
    theirs, state = PARAMS, reference.init(PARAMS)
    for grads in GRADS:
        updates, state = reference.update(grads, state, theirs)
        theirs = optax.apply_updates(theirs, updates)
    same(trees.flatten(ours), trees.flatten(theirs))
    same(trees.flatten(average), trees.flatten(optax.contrib.schedule_free_eval_params(state, theirs)))


def test_schedule_free_with_a_warm_up_is_the_papers():
    """Defazio et al. 2024, algorithm 1 in numpy: each update weighs the square of its own rate."""
    params, average = (trees.flatten(tree) for tree in path_of(dataclasses.replace(FREE, warmup=3)))
    for path, param in trees.flatten(PARAMS).items():
        x = z = np.asarray(param, np.float64)
        v, total = 0.0, 0.0
        for t, grads in enumerate(GRADS, start=1):
            g = np.asarray(trees.flatten(grads)[path], np.float64)
            v, rate = 0.9 * v + 0.1 * g**2, 0.1 * t / 3
            z = z - rate * g / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
            total += rate**2
            x = x + rate**2 / total * (z - x)
        np.testing.assert_allclose(average[path], x, rtol=1e-5, atol=1e-6, err_msg=path)
        np.testing.assert_allclose(params[path], 0.1 * z + 0.9 * x, rtol=1e-5, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("config", [FREE, dataclasses.replace(PLAIN, ema=0.7)], ids=["schedule-free", "ema"])
def test_frozen_parameters_are_their_own_average(config):
    _, average = path_of(dataclasses.replace(config, freeze=("layer_0",)))
    for path, param in trees.flatten(PARAMS).items():
        assert np.array_equal(trees.flatten(average)[path], param) == ("layer_0" in path), path


def test_a_schedule_free_run_evaluates_keeps_and_resumes(spec, tmp_path):
    optimizer = Optimizer(name="schedule_free", peak_lr=1e-2, warmup=3, schedule="constant")
    config = dataclasses.replace(experiment(spec), optimizer=optimizer, parallel=Parallel("pmap", 2))
    whole = train(config, tmp_path / "whole", quiet=True)
    train(config, tmp_path / "broken", quiet=True, until=7)
    train(config, tmp_path / "broken", quiet=True)
    assert measured(tmp_path / "broken") == measured(tmp_path / "whole")
    loaded, params = checkpoint.load(tmp_path / "whole", "newest")
    jax.tree.map(np.testing.assert_array_equal, params, checkpoint.load(tmp_path / "broken", "newest")[1])
    prepared = reopen(loaded, tmp_path / "whole")
    score = scorer(prepared.model, prepared.dataset, Devices(loaded.parallel), loaded.run.seed)
    np.testing.assert_allclose(score(params, "validation")["loss"], whole["eval/loss"], rtol=1e-6)


def test_averages_of_checkpoints_are_means(spec, tmp_path):
    train(experiment(spec, steps=12, eval_every=4, keep=3), tmp_path / "run", quiet=True)
    each = [checkpoint.load(tmp_path / "run", step)[1] for step in (4, 8, 12)]
    _, mean = checkpoint.load(tmp_path / "run", "average:3")
    jax.tree.map(lambda m, *xs: np.testing.assert_allclose(m, sum(xs) / 3, rtol=1e-6, atol=1e-7), mean, *each)
    assert {x.dtype for x in jax.tree.leaves(mean)} == {x.dtype for x in jax.tree.leaves(each[0])}
    jax.tree.map(np.testing.assert_array_equal, checkpoint.load(tmp_path / "run", "average:1")[1], each[2])
    for step in ("average:9", "average:0", "average:", "average:x", "average:²"):
        with pytest.raises(UserError, match="run.keep=9" if step == "average:9" else f"no checkpoint of step {step}"):
            checkpoint.load(tmp_path / "run", step)
