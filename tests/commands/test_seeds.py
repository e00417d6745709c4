# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several seeds in one command: a run for each, and the mean and standard deviation of what they score."""

import dataclasses
import json
import shutil
import statistics
import sys
from types import SimpleNamespace

import jax.numpy as jnp
import pytest

import launch
from seqjax.commands import runs
from seqjax.errors import Diverged
from seqjax.experiment import resolve
from seqjax.training.checkpoint import Checkpoints
from seqjax.training.run import train
from seqjax.training.step import State

COMMAND = [
    "train",
    "quickstart_package",
    "--tiny",
    "--quiet",
    "run.steps=1",
    "optimizer.warmup=0",
    "parallel.devices=1",
]


def test_each_seed_is_a_run_and_both_are_scored(tmp_path, capsys):
    folder = tmp_path / "runs"
    assert launch.main([*COMMAND, "run.seed=5", "--run", str(folder), "--seeds", "2", "--json"]) == 0
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])
    results = [json.loads((folder / f"seed-{seed}" / "result.json").read_text()) for seed in (5, 6)]
    losses = [result["eval/loss"] for result in results]
    assert losses[0] != losses[1]
    expected = {"mean": statistics.fmean(losses), "sd": statistics.stdev(losses), "values": losses}
    assert trained["scores"]["eval/loss"] == expected
    own = [result["report"]["macro"]["f1"] for result in results]
    expected = {"mean": statistics.fmean(own), "sd": statistics.stdev(own), "values": own}
    assert trained["scores"]["report/macro_f1"] == expected
    assert trained["scores"]["report/mcc"]["values"] == [result["report"]["mcc"] for result in results]
    written = json.loads((folder / "seeds.json").read_text())
    assert written == {name: value for name, value in trained.items() if name in written} and len(written) == 2
    assert json.loads((folder / "seed-6" / "config.json").read_text())["run"]["seed"] == 6

    assert launch.main(["eval", str(folder), "--json"]) == 0
    together = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert together["seeds"] == 2
    assert launch.main(["eval", str(folder / "seed-6"), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert together["scores"]["accuracy"]["values"][1] == alone["scores"]["accuracy"]
    assert together["scores"]["macro f1"]["values"][1] == alone["report"]["macro"]["f1"]

    assert launch.main([*COMMAND, "--run", str(folder / "seed-5"), "--seeds", "2"]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert launch.main([*COMMAND, "--seeds", "0"]) == 2


@pytest.fixture
def diverging(monkeypatch):
    """Returns a set of seeds, to fill: those whose runs diverge."""
    seeds, plain = set(), runs.run.train

    def train(experiment, folder, *words, **options):
        if experiment.run.seed in seeds:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "diverged-step-1.npz").touch()
            raise Diverged("the loss of update 1 is nan; try a lower optimizer.peak_lr")
        return plain(experiment, folder, *words, **options)

    monkeypatch.setattr(runs.run, "train", train)
    return seeds


def test_a_seed_that_diverges_does_not_end_the_others(tmp_path, capsys, diverging):
    command = [*COMMAND, "--run", str(tmp_path), "--seeds"]
    diverging |= {0, 1}
    assert launch.main([*command, "2"]) == 1
    assert "error: all 2 seeds diverged; seed 0: the loss of update 1 is nan" in capsys.readouterr().err
    assert not (tmp_path / "seeds.json").exists()

    diverging -= {0}
    assert launch.main([*command, "2"]) == 1
    said = capsys.readouterr().err
    assert "seed 1 diverged: the loss of update 1 is nan" in said
    assert f"error: of 2 seeds 1 diverged; the scores of the others are in {tmp_path / 'seeds.json'}" in said
    assert "1 seed: accuracy of the best" in said
    written = json.loads((tmp_path / "seeds.json").read_text())
    assert written["seeds"] == 1 and list(written["diverged"]) == ["1"]
    loss = json.loads((tmp_path / "seed-0" / "result.json").read_text())["eval/loss"]
    assert written["scores"]["eval/loss"] == {"mean": loss, "sd": None, "values": [loss]}

    assert launch.main(["eval", str(tmp_path)]) == 2
    assert f"the run in '{tmp_path / 'seed-1'}' diverged; move it elsewhere" in capsys.readouterr().err
    diverging -= {1}
    assert launch.main([*command, "2"]) == 0  # what has diverged once may be trained after all
    assert "diverged" not in json.loads((tmp_path / "seeds.json").read_text())
    assert launch.main(["eval", str(tmp_path)]) == 0


def test_seeds_that_are_not_finished_are_not_scored(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "runs"
    command = [*COMMAND, "run.steps=2", "run.eval_every=1", "--run", str(folder), "--seeds", "2"]
    plain = runs.run.train

    def interrupted(experiment, *words, **options):
        return plain(experiment, *words, **options | ({"until": 1} if experiment.run.seed == 1 else {}))

    def refused(name, message):
        assert launch.main(["eval", str(folder)]) == 2
        assert f"the run in '{folder / name}' {message}" in capsys.readouterr().err

    monkeypatch.setattr(runs.run, "train", interrupted)
    monkeypatch.setattr(sys, "argv", ["launch.py", *command])
    assert launch.main(command) == 75
    refused("seed-1", "is not finished; the same train command finishes it: python launch.py train quickstart_package")
    (folder / "seed-1" / "result.json").unlink()  # as after a kill
    refused("seed-1", "is not finished")
    (folder / "seed-2").mkdir()
    monkeypatch.undo()
    assert launch.main(command) == 0
    refused("seed-2", "is not finished; the same train command finishes it")
    (folder / "seed-2").rmdir()
    assert launch.main(["eval", str(folder)]) == 0


def test_runs_that_something_else_than_the_command_made_are_scored_as_seeds(tmp_path, capsys):
    """Without result.json, these have stopped early; an imported run is one of no updates."""
    experiment = resolve("quickstart_package", COMMAND[4:], tiny=True)
    for seed in (0, 1):
        run = dataclasses.replace(experiment.run, seed=seed, steps=6, eval_every=1, patience=1)
        optimizer = dataclasses.replace(experiment.optimizer, peak_lr=1e-30)  # so nothing improves
        train(dataclasses.replace(experiment, run=run, optimizer=optimizer), tmp_path / f"seed-{seed}", quiet=True)
    assert launch.main(["eval", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["seeds"] == 2
    (tmp_path / "seed-1" / "metrics.jsonl").unlink()
    assert launch.main(["eval", str(tmp_path)]) == 2
    assert "seed-1' is not finished" in capsys.readouterr().err

    shutil.rmtree(tmp_path / "seed-1")
    train(dataclasses.replace(experiment, run=dataclasses.replace(experiment.run, seed=1)), tmp_path / "seed-1", True)
    assert launch.main(["eval", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"the runs in '{tmp_path / 'seed-0'}' and '{tmp_path / 'seed-1'}' have different settings" in said

    imported = Checkpoints(tmp_path / "imported", experiment.run)
    state = State(jnp.zeros((), jnp.int32), {"w": jnp.zeros(1)}, {"none": jnp.zeros((), jnp.int32)})
    imported.save(state, 0, SimpleNamespace(get_state=dict), experiment, None)
    imported.close()
    assert runs._status(tmp_path / "imported") == "complete"
