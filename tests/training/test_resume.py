# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run that was killed and resumed is the run that was not, bit for bit."""

import dataclasses
import multiprocessing
import os
import random
import signal
import time

import jax
import numpy as np
import pytest

from seqjax.errors import Diverged, UserError
from seqjax.training import checkpoint
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Parallel
from seqjax.training.run import train
from tests.training.settings import OBJECTIVES, experiment, measured, run_apart, text

# Processes of their own that need not import everything anew: they are forked from one that has, and does nothing else.
APART = multiprocessing.get_context("forkserver")
APART.set_forkserver_preload(["tests.training.settings"])
SECONDS = 30  # from a signal to the end of the run, as the README promises


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return text(tmp_path_factory.mktemp("text"))


def same_parameters(a, b):
    left, right = (checkpoint.load(folder, "newest")[1] for folder in (a, b))
    jax.tree.map(np.testing.assert_array_equal, left, right)


class Child:
    """A run in another process; with as many devices as here, for then it finds the programs compiled here."""

    def __init__(self, config, folder, slow=False):
        self.metrics, self.errors = folder / "metrics.jsonl", folder.parent / "errors.txt"
        self.process = APART.Process(target=run_apart, args=(config, folder, jax.device_count(), self.errors, slow))
        self.process.start()

    def signal_at(self, step, number):
        """Sends a signal as soon as the metrics of `step` stand in the file."""
        deadline = time.time() + 240
        while time.time() < deadline and self.process.is_alive():
            lines = self.metrics.read_text().splitlines() if self.metrics.exists() else []
            if any(f'"step": {step},' in line and "train/loss" in line for line in lines):
                os.kill(self.process.pid, number)
                break
            time.sleep(0.01)
        self.process.join(SECONDS)
        if self.process.is_alive():
            self.process.kill()
            raise TimeoutError(f"{SECONDS} s after the signal the run still goes on: {self.errors.read_text()}")
        return self.process.exitcode, self.errors.read_text()


DEFAULT = ("clm", "mlm", "rtd", "strips")  # a kind each of data order, corruption, model and state


@pytest.mark.parametrize(
    "objective", [pytest.param(name, marks=[] if name in DEFAULT else pytest.mark.exhaustive) for name in OBJECTIVES]
)
def test_two_kills_and_resumes_are_bit_equal(objective, spec, tmp_path):
    """At random steps, in a row; with an average of the parameters and a guard against spikes, which come back too."""
    config = experiment(spec, objective, steps=14, eval_every=7, save_every=4)
    config = dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, ema=0.9, spike=1.2))
    train(config, tmp_path / "whole", quiet=True)
    for step in (random.Random(objective).randint(4, 6), random.Random(objective).randint(9, 12)):
        assert Child(config, tmp_path / "broken").signal_at(step, signal.SIGKILL)[0] == -signal.SIGKILL
    train(config, tmp_path / "broken", quiet=True)
    assert measured(tmp_path / "broken") == measured(tmp_path / "whole")
    same_parameters(tmp_path / "broken", tmp_path / "whole")
    assert checkpoint.steps(tmp_path / "broken") == checkpoint.steps(tmp_path / "whole")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, id="SIGTERM"),
        pytest.param(signal.SIGINT, id="Ctrl-C", marks=pytest.mark.exhaustive),
    ],
)
def test_a_polite_signal_saves_and_ends(number, spec, tmp_path):
    config = experiment(spec, steps=40, eval_every=20)
    train(config, tmp_path / "whole", quiet=True)
    code, errors = Child(config, tmp_path / "broken").signal_at(5, number)
    assert code == 0, errors
    (saved,) = checkpoint.steps(tmp_path / "broken")
    assert 5 <= saved < 40
    assert train(config, tmp_path / "broken", quiet=True)["status"] == "complete"
    assert measured(tmp_path / "broken") == measured(tmp_path / "whole")
    same_parameters(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.parametrize("last", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_a_signal_breaks_an_evaluation_off(last, spec, tmp_path):
    """One of minutes; the resumed run begins with it, and its score is that of the checkpoint."""
    config = experiment(spec, steps=4 if last else 8)
    train(config, tmp_path / "whole", quiet=True)
    code, errors = Child(config, tmp_path / "broken", slow=True).signal_at(4, signal.SIGTERM)
    assert code == 0, errors
    assert checkpoint.steps(tmp_path / "broken") == [4]
    assert checkpoint.read_meta(tmp_path / "broken", 4)["metric"] is None
    assert train(config, tmp_path / "broken", quiet=True)["status"] == "complete"
    assert measured(tmp_path / "broken") == measured(tmp_path / "whole")
    same_parameters(tmp_path / "broken", tmp_path / "whole")
    for step in checkpoint.steps(tmp_path / "whole"):
        metas = [checkpoint.read_meta(tmp_path / name, step)["metric"] for name in ("broken", "whole")]
        assert metas[0] == metas[1] is not None


def test_a_checkpoint_that_is_to_be_replaced_is_there_until_it_is(spec, tmp_path, monkeypatch):
    """Killed while a late evaluation's score is being saved: the checkpoint without it is what the run goes on from."""
    config = experiment(spec, steps=8, eval_every=8)
    train(config, tmp_path / "run", quiet=True, until=3)
    state, meta = checkpoint.load(tmp_path / "run", 3), checkpoint.read_meta(tmp_path / "run", 3)
    assert meta["metric"] is None
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.Checkpoints, "_save", lambda *args: 1 / 0)
        checkpoints = checkpoint.Checkpoints(tmp_path / "run", config.run)
        with pytest.raises(ZeroDivisionError):
            checkpoints.save(None, 3, None, config, 0.5)
        checkpoints.close()
    assert checkpoint.steps(tmp_path / "run") == []
    checkpoints = checkpoint.Checkpoints(tmp_path / "run", config.run)
    assert checkpoints.newest() == 3
    checkpoints.close()
    assert checkpoint.read_meta(tmp_path / "run", 3) == meta
    jax.tree.map(np.testing.assert_array_equal, checkpoint.load(tmp_path / "run", 3)[1], state[1])


def test_a_metric_that_is_no_number_is_not_the_best():
    metas = {
        step: {"metric": metric, "config": {"run": {"direction": "max"}}}
        for step, metric in enumerate((np.nan, 0.5, 0.7))
    }
    assert checkpoint.best(metas) == 2
    assert checkpoint.best({0: metas[0]}) == 0


@pytest.mark.parametrize("backend", ["jit", "pmap"])
def test_resume_on_other_devices_keeps_order_and_loss(backend, spec, tmp_path):
    """Begun on 8, resumed on 4, on 1, and on 8 again; SGD, for Adam amplifies rounding."""
    config = dataclasses.replace(
        experiment(spec), optimizer=Optimizer(name="sgd", b1=0.0, peak_lr=0.1, schedule="constant"),
        parallel=Parallel(backend, 8),
    )  # fmt: skip
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, dropout=0.0))
    train(config, tmp_path / "whole", quiet=True)
    for devices, until in ((8, 3), (4, 6), (1, 9), (8, None)):
        there = dataclasses.replace(config, parallel=Parallel(backend, devices))
        status = train(there, tmp_path / "broken", quiet=True, until=until)["status"]
    assert status == "complete"
    pairs = list(zip(measured(tmp_path / "broken"), measured(tmp_path / "whole"), strict=True))
    assert len(pairs) > 12
    for a, b in pairs:
        assert a.keys() == b.keys()
        np.testing.assert_allclose([a[name] for name in a], [b[name] for name in a], rtol=1e-5)


def test_early_stopping_counts_across_a_resume_and_best_is_kept(spec, tmp_path):
    """The rate is so low that nothing changes: stop after `patience` evaluations that equal the first."""
    config = experiment(spec, steps=60, eval_every=2, patience=4, keep=1)
    config = dataclasses.replace(config, optimizer=Optimizer(name="sgd", peak_lr=1e-30, weight_decay=0.0))
    whole = train(config, tmp_path / "whole", quiet=True)
    assert whole["status"] == "stopped early"
    assert whole["step"] == whole["best_step"] + 2 * 4
    train(config, tmp_path / "broken", quiet=True, until=whole["step"] - 3)
    broken = train(config, tmp_path / "broken", quiet=True)
    assert {key: broken[key] for key in ("step", "best_step", "best")} == {
        key: whole[key] for key in ("step", "best_step", "best")
    }
    for name in ("whole", "broken"):
        assert checkpoint.steps(tmp_path / name) == sorted({whole["best_step"], whole["step"]})
    meta = checkpoint.read_meta(tmp_path / "whole", whole["best_step"])
    assert meta["metric"] == whole["best"]


def test_a_loss_that_is_not_a_number_stops_the_run_and_leaves_evidence(spec, tmp_path):
    config = experiment(spec, steps=30, eval_every=1)
    config = dataclasses.replace(
        config, optimizer=Optimizer(name="sgd", peak_lr=1e30, schedule="constant", warmup=0, clip=0.0)
    )
    with pytest.raises(Diverged, match=r"loss of update \d+ is (nan|inf)") as caught:
        train(config, tmp_path / "run", quiet=True)
    (batch,) = (tmp_path / "run").glob("diverged-step-*.npz")
    assert str(batch) in str(caught.value)
    assert set(np.load(batch)) == {"tokens", "targets", "segments", "positions", "weights"}
    for step in checkpoint.steps(tmp_path / "run"):
        assert f"step-{step}." not in batch.name


def test_a_folder_holds_one_run(spec, tmp_path):
    config = experiment(spec, steps=4)
    assert train(config, tmp_path / "run", quiet=True)["step"] == 4
    before = measured(tmp_path / "run")
    assert train(config, tmp_path / "run", quiet=True)["status"] == "complete"
    assert measured(tmp_path / "run") == before
    other = dataclasses.replace(config, optimizer=Optimizer(peak_lr=0.5))
    with pytest.raises(UserError, match=r"other settings: optimizer.peak_lr \(0.01 there, 0.5 here\)"):
        train(other, tmp_path / "run", quiet=True)


def test_changed_data_are_noticed(tmp_path):
    spec = text(tmp_path)
    config = experiment(spec, steps=8)
    train(config, tmp_path / "run", quiet=True, until=4)
    text(tmp_path, documents=61)
    with pytest.raises(UserError, match="data has changed"):
        train(config, tmp_path / "run", quiet=True)
