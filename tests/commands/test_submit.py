# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs through submitit on this machine, which is what it does on Slurm but for the queue."""

import importlib.util
import json
import os
import signal
import sys
import time

import pytest

import launch
from seqjax.commands.submit import Command

needs_submitit = pytest.mark.skipif(
    not importlib.util.find_spec("submitit"), reason="pip install -r requirements-dev.txt"
)
GRID = ["sweep", "quickstart_mlm", "--tiny", "data.batch=8,16", "optimizer.peak_lr=1e-3,1e-2", "run.steps=20"]
INTERRUPTED = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
if (folder / "saved").exists():
    (folder / "done").touch()
    sys.exit(0)

def save(*_):
    time.sleep(0.5)
    (folder / "saved").touch()
    sys.exit(75)

signal.signal(signal.SIGTERM, save)
assert signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN
(folder / "parent").write_text(str(os.getppid()))
(folder / "begun").touch()
time.sleep(60)
"""


@needs_submitit
def test_a_job_whose_time_is_up_saves_and_goes_on(tmp_path):
    from submitit import AutoExecutor

    executor = AutoExecutor(folder=tmp_path / "logs", cluster="local")
    executor.update_parameters(timeout_min=2)
    job = executor.submit(Command([sys.executable, "-c", INTERRUPTED, str(tmp_path)]))
    for name in ("begun", "done"):
        deadline = time.monotonic() + 50
        while not (tmp_path / name).exists():
            assert time.monotonic() < deadline, job.stderr()
            time.sleep(0.05)
        if name == "begun":
            os.kill(int((tmp_path / "parent").read_text()), signal.SIGUSR2)  # which Slurm sends before the time is up
    assert job.result() == 0
    assert (tmp_path / "saved").exists()


@needs_submitit
def test_a_command_that_fails_is_a_job_that_fails(tmp_path):
    from submitit import AutoExecutor

    job = AutoExecutor(folder=tmp_path, cluster="local").submit(Command([sys.executable, "-c", "raise SystemExit(3)"]))
    assert "RuntimeError: status 3 of: " in str(job.exception())


@needs_submitit
def test_a_command_is_submitted(tmp_path, capsys):
    words = ["submit", "--cluster", "local", "--logs", str(tmp_path), "--json", "show", "quickstart_mlm", "run.steps=7"]
    assert launch.main(words) == 0
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert job["command"] == ["show", "quickstart_mlm", "run.steps=7"]
    log = tmp_path / job["id"] / f"{job['id']}_0_log.out"
    deadline = time.monotonic() + 60
    while not (log.exists() and "completed successfully" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert '"steps": 7' in log.read_text()


@needs_submitit
def test_a_grid_is_a_job_for_each_trial(tmp_path):
    """As command lines which leave what `sweep` looks for."""
    submit = sys.modules["seqjax.commands.submit"]
    jobs = submit._commands([*GRID, "--run", str(tmp_path / "sweep")])
    assert [job[:3] for job in jobs] == [["train", "quickstart_mlm", "--tiny"]] * 4
    settings = ["data.batch=8", "optimizer.peak_lr=1e-2", "run.steps=20"]
    assert jobs[1][3:] == [*settings, "--run", str(tmp_path / "sweep" / "trial-1")]
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["fixed"] == ["run.steps=20"]
    ranged = ["sweep", "quickstart_mlm", "optimizer.peak_lr=log:1e-4:1e-2", "--run", str(tmp_path / "other")]
    assert submit._commands(ranged) == [ranged]  # whose trials follow one another


@needs_submitit
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a command to submit"),
        (["submit", "list"], "give a command to submit"),
        (["train", "quickstart_mlm", "run.stepz=3"], "did you mean 'steps'?"),
        (["list"], "cannot submit to slurm: Could not detect"),
        (["--hours", "0", "list"], "--hours 0.0 must be above 0"),
        (["--nodes", "2", "--tasks", "4", "train", "quickstart_mlm"], "are 8 processes, and each would do the whole"),
    ],
)
def test_mistakes_are_said_before_anything_is_queued(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # where no Slurm is
    assert launch.main(["submit", "--logs", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err


def test_without_submitit_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert launch.main(["submit", "list"]) == 2
    assert "pip install 'submitit" in capsys.readouterr().err
