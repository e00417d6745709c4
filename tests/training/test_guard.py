# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Skipped steps change nothing, to the bit; averages are what arithmetic says and what a checkpoint gives."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.errors import UserError
from seqjax.objectives.clm import CLM
from seqjax.training import checkpoint
from seqjax.training.guard import LEAST, WINDOW, initial_guard, judge
from seqjax.training.logging import read_metrics
from seqjax.training.optimizers import Optimizer, averaging
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.run import train
from seqjax.training.step import initial_state, train_step
from tests.training.settings import experiment, text
from tests.training.test_step import ragged


def test_judgement_is_the_median_s(rng):
    """Against numpy: a norm is skipped where it exceeds 3 medians of the last ones, or is no number."""
    norms = rng.lognormal(sigma=1.0, size=300).astype(np.float32)
    norms[[5, 40, 41]], norms[200] = np.nan, np.inf
    guard, seen, skipped = initial_guard(), [], 0
    run = jax.jit(lambda guard, norm: judge(guard, norm, 3.0))
    for norm in norms:
        skip, guard = run(guard, norm)
        wanted = not np.isfinite(norm) or (len(seen) >= LEAST and norm > 3.0 * np.median(seen[-WINDOW:]))
        assert bool(skip) == wanted
        skipped += wanted
        seen += [norm] if np.isfinite(norm) else []
    assert int(guard.skipped) == skipped
    assert 10 < skipped < 150


def poisoned():
    """A model whose gradient is as large as its input says."""

    def apply(variables, tokens, *, positions_BL, **inputs):
        return variables["params"]["table"][tokens] * positions_BL[:, :, None].astype(jnp.float32), None

    return apply, {"table": jnp.ones((40, 40)) * jnp.cos(jnp.arange(1600.0)).reshape(40, 40)}


@pytest.mark.parametrize(("backend", "devices"), [("jit", 1), ("jit", 8), ("pmap", 8)])
def test_a_spike_changes_nothing_but_the_count(backend, devices):
    apply, params = poisoned()
    places, optimizer = Devices(Parallel(backend, devices)), optax.adam(0.01)
    settings = {
        "apply": apply,
        "objective": CLM(),
        "optimizer": optimizer,
        "averaging": averaging(Optimizer(ema=0.9)),
        "spike": 5.0,
    }
    step = places.spread(lambda state, batch, key, **reduce: train_step(state, batch, key, **settings, **reduce))
    state = places.replicate(initial_state(params, optimizer, settings["averaging"], spike=5.0))
    batch = ragged(CLM())
    for number in range(14):
        size = 1000 if number == 10 else 1
        before = state
        state, pairs = step(
            state, places.put({**batch, "positions": np.full_like(batch["positions"], size)}), jax.random.key(0)
        )
        same = jax.tree.map(np.array_equal, *((s.params, s.opt_state, s.average) for s in (before, state)))
        assert all(jax.tree.leaves(same)) == (number == 10)
        assert float(pairs["skipped"][0]) == (number >= 10)
        assert int(state.step) == number + 1


def test_the_learning_rate_is_that_of_the_updates_that_were_applied(tmp_path):
    config = experiment(text(tmp_path), steps=24, log_every=1)
    config = dataclasses.replace(config, optimizer=Optimizer(peak_lr=1e-6, spike=1.001))
    train(config, tmp_path / "run", quiet=True)
    lines = [line for line in read_metrics(tmp_path / "run") if "train/lr" in line]
    applied = np.array([line["step"] - line["train/skipped"] for line in lines])
    assert len(lines) == 24 and 4 < 24 - applied[-1] < 20
    np.testing.assert_allclose([line["train/lr"] for line in lines], 1e-6 * (1 - (applied - 1) / 24), rtol=1e-5)


def test_the_average_by_hand():
    apply, params = poisoned()
    optimizer, average_of = optax.sgd(0.5), averaging(Optimizer(ema=0.7))
    state = initial_state(params, optimizer, average_of)
    average = np.asarray(params["table"], np.float64)
    for number in range(30):
        state, _ = train_step(
            state, ragged(CLM()), jax.random.key(0), apply=apply, objective=CLM(), optimizer=optimizer,
            averaging=average_of,
        )  # fmt: skip
        share = max(0.3, 9 / (10 + number))
        average += share * (np.asarray(state.params["table"]) - average)
    np.testing.assert_allclose(state.average["table"], average, atol=1e-5)
    assert state.used is state.average


def test_a_checkpoint_gives_the_average(tmp_path):
    config = experiment(text(tmp_path), steps=6, eval_every=6)
    config = dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, ema=0.9))
    outcome = train(config, tmp_path / "averaged", quiet=True)
    plain = dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, ema=0.0))
    other = train(plain, tmp_path / "plain", quiet=True)
    assert outcome["train/loss"] == other["train/loss"]
    assert outcome["eval/loss"] != other["eval/loss"]
    ours, theirs = (checkpoint.load(tmp_path / name)[1] for name in ("averaged", "plain"))
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    assert not np.array_equal(ours["trunk"]["tokens"]["embedding"], theirs["trunk"]["tokens"]["embedding"])


def test_mistakes():
    for change in ({"spike": 0.5}, {"ema": 1.0}, {"relative": True}):
        with pytest.raises(UserError, match=f"optimizer.{next(iter(change))}"):
            Optimizer(**change)
