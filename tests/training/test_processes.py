# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Two processes of one run are one process with as many devices; a process may be lost, and no test hangs."""

import dataclasses
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path

import jax
import numpy as np
import pytest

import launch
from seqjax.data.pipeline import open_data
from seqjax.errors import UserError
from seqjax.training import checkpoint, layout, processes
from seqjax.training.logging import read_metrics
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.run import train
from tests.training.settings import experiment, measured, run_joined, text

APART = multiprocessing.get_context("forkserver")
APART.set_forkserver_preload(["tests.training.settings"])
PAUSE = 0.15  # seconds in each step of a run that a signal is to meet: JAX looks once a second for SIGTERM
PATIENCE = 240  # seconds for what takes ten on a quiet machine


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return text(tmp_path_factory.mktemp("text"))


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


class Pair:
    """Two processes that train (config, folder, until) after the other; none is left when the block ends."""

    def __init__(self, runs, folder, devices=1, pause=0.0, slow=False):
        port = free_port()
        self.errors = [folder / f"errors-{i}.txt" for i in range(2)]
        self.folder = runs[-1][1]
        settings = (pause, slow)
        self.processes = [
            APART.Process(target=run_joined, args=(runs, devices, port, i, self.errors[i], *settings)) for i in range(2)
        ]

    def __enter__(self):
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.is_alive():
                process.kill()  # SIGTERM is only taken note of
            process.join(10)

    def ended(self, seconds=PATIENCE):
        """Returns the exit codes and what was said."""
        deadline = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(deadline - time.monotonic(), 0))
        time.sleep(0.2)  # the last word is said after the end
        said = [path.read_text() for path in self.errors]
        assert not any(process.is_alive() for process in self.processes), f"they go on after {seconds} s: {said}"
        return [process.exitcode for process in self.processes], said

    def signal_at(self, step, process, number):
        """Sends a signal as soon as metrics of `step` stand in the last run's file."""
        deadline = time.monotonic() + PATIENCE
        while not any(line["step"] >= step for line in read_metrics(self.folder)):
            assert time.monotonic() < deadline and self.processes[process].is_alive(), self.ended(1)
            time.sleep(0.01)
        os.kill(self.processes[process].pid, number)


def close(a, b):
    """Asserts that two runs measured the same, up to the rounding of sums."""
    lines = list(zip(measured(a), measured(b), strict=True))
    assert len(lines) > 12
    for x, y in lines:
        assert x.keys() == y.keys()
        np.testing.assert_allclose([x[name] for name in x], [y[name] for name in x], rtol=1e-5)


def same_bits(a, b):
    assert measured(a) == measured(b)
    jax.tree.map(np.testing.assert_array_equal, *(checkpoint.load(folder, "newest")[1] for folder in (a, b)))


MESH, WIDE = Parallel("mesh", 2, fsdp=2), Parallel("mesh", 8, fsdp=2, tensor=2)
LAYOUTS = [
    pytest.param("clm", Parallel("pmap", 2), 1, id="pmap"),
    pytest.param("clm", MESH, 1, id="mesh"),
    pytest.param("regression", Parallel("jit", 2), 1, id="task"),
    pytest.param("regression", Parallel("pmap", 2), 1, id="task-pmap", marks=pytest.mark.exhaustive),
    pytest.param("clm", Parallel("mesh", 2, tensor=2), 1, id="tensor", marks=pytest.mark.exhaustive),
    pytest.param("strips", Parallel("jit", 2), 1, id="strips", marks=pytest.mark.exhaustive),
    pytest.param("clm", WIDE, 4, id="mesh-4", marks=pytest.mark.exhaustive),
]


@pytest.mark.parametrize("objective, parallel, devices", LAYOUTS)
def test_two_processes_are_one_with_as_many_devices(objective, parallel, devices, spec, tmp_path):
    """With dropout, bits per byte of a whole split or a score of the task; each goes on from the other's checkpoint.

    SGD, for Adam amplifies rounding.
    """
    metric = {"metric": "pearson", "direction": "max"} if objective == "regression" else {}
    config = dataclasses.replace(experiment(spec, objective, eval_rows=0, **metric), parallel=parallel)
    config = dataclasses.replace(config, optimizer=Optimizer(name="sgd", b1=0.0, peak_lr=0.1, schedule="constant"))
    if parallel.tensor > 1:  # which is to divide the vocabulary
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, vocab_size=264))
    whole, ended_by_one, ended_by_two = (tmp_path / name for name in ("whole", "ended_by_one", "ended_by_two"))
    train(config, whole, quiet=True)
    train(config, ended_by_two, quiet=True, until=6)
    with Pair([(config, ended_by_one, 6), (config, ended_by_two, None)], tmp_path, devices) as pair:
        codes, said = pair.ended()
    assert codes == [0, 0], said
    assert "step 12" in said[0]
    assert "step" not in said[1]  # the first alone speaks
    assert train(config, ended_by_one, quiet=True)["status"] == "complete"
    close(ended_by_one, whole)
    close(ended_by_two, whole)
    assert (ended_by_two / "report.html").exists()


@pytest.mark.parametrize(
    "parallel, lost",
    [(MESH, 1), pytest.param(Parallel("pmap", 2), 0, marks=pytest.mark.exhaustive)],
    ids=("mesh", "pmap"),
)
def test_a_process_is_lost_and_another_asked_to_stop(parallel, lost, spec, tmp_path):
    """SIGKILL ends the other in the stated time with a message, SIGTERM ends both with status 0; each run goes on."""
    config = dataclasses.replace(experiment(spec, steps=48, eval_every=24, save_every=6), parallel=parallel)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    with Pair([(config, broken, None)], tmp_path, pause=PAUSE) as pair:
        pair.signal_at(13, lost, signal.SIGKILL)
        codes, said = pair.ended(processes.HEARTBEAT_SECONDS + 30)
    assert codes[lost] == -signal.SIGKILL and codes[1 - lost] not in (0, None), said
    assert said[1 - lost].rstrip().endswith(processes.LOST)  # the last word, whatever Orbax's threads log before
    assert "training/run.py" not in said[1 - lost]  # no traceback of ours
    assert checkpoint.steps(broken)
    with Pair([(config, broken, None)], tmp_path, pause=PAUSE) as pair:
        pair.signal_at(20, lost, signal.SIGTERM)
        codes, said = pair.ended()
    assert codes == [0, 0], said
    assert 20 <= checkpoint.steps(broken)[-1] < 48
    with Pair([(config, broken, None), (config, whole, None)], tmp_path) as pair:
        codes, said = pair.ended()
    assert codes == [0, 0], said
    same_bits(broken, whole)


@pytest.mark.exhaustive
def test_a_signal_breaks_the_evaluation_of_two_off(spec, tmp_path):
    """One of minutes, after the same batch in both; the resumed run begins with it."""
    config = dataclasses.replace(experiment(spec, steps=8), parallel=MESH)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    with Pair([(config, broken, None)], tmp_path, slow=True) as pair:
        pair.signal_at(4, 1, signal.SIGTERM)
        codes, said = pair.ended(60)
    assert codes == [0, 0], said
    assert checkpoint.steps(broken) == [4]
    assert checkpoint.read_meta(broken, 4)["metric"] is None
    with Pair([(config, broken, None), (config, whole, None)], tmp_path) as pair:
        codes, said = pair.ended()
    assert codes == [0, 0], said
    same_bits(broken, whole)


def test_what_one_process_finds_wrong_ends_both(tmp_path):
    """Through the command line; the file of one host is missing on the other."""
    (tmp_path / "0").mkdir()
    (tmp_path / "1").mkdir()
    (tmp_path / "0" / "corpus.txt").write_text("some text\n" * 200)
    root = Path(launch.__file__).parent
    words = [sys.executable, str(root / "launch.py"), "train", "quickstart_clm", "--tiny"]
    words += [
        "data=text:corpus.txt",
        "--run",
        str(tmp_path / "run"),
        "parallel=jit",
        "--distributed",
        "--processes",
        "2",
    ]
    words += ["--coordinator", f"127.0.0.1:{free_port()}", "--process"]
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1", "JAX_PLATFORMS": "cpu"}
    pair = [
        subprocess.Popen([*words, str(i)], cwd=tmp_path / str(i), env=environment, stderr=subprocess.PIPE, text=True)
        for i in range(2)
    ]
    said = [process.communicate(timeout=PATIENCE)[1] for process in pair]
    assert [process.returncode for process in pair] == [2, 2], said
    assert said[0].rstrip().splitlines()[-1].startswith("error: process 1 cannot begin: ")
    assert all("corpus.txt" in each and processes.LOST not in each for each in said)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "owners, sizes, shares",
    [
        ([0, 0, 1, 1], (4, 1, 1, 1), [(0, 2), (1, 2)]),
        ([0, 0, 1, 1], (1, 4, 1, 1), [(0, 2), (1, 2)]),
        ([0, 0, 1, 1], (2, 1, 2, 1), [(0, 2), (1, 2)]),
        ([0, 0, 1, 1], (1, 1, 4, 1), [(0, 1), (0, 1)]),  # both hold all rows
        ([0, 1, 2, 3], (2, 1, 2, 1), [(0, 2), (0, 2), (1, 2), (1, 2)]),
        ([0, 0, 0, 1, 1, 1], (3, 1, 2, 1), ["do not divide among the processes"] * 2),
        ([0, 0], (2, 1, 1, 1), [(0, 1), "leaves a process without a device"]),
    ],
)
def test_processes_feed_the_rows_that_their_devices_hold(owners, sizes, shares, monkeypatch):
    for process, wanted in enumerate(shares):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        devices = object.__new__(Devices)  # of processes that are not here
        devices.devices = [types.SimpleNamespace(process_index=owner) for owner in owners]
        devices.sizes = dict(zip(layout.AXES, sizes, strict=True))
        devices.mesh = types.SimpleNamespace(devices=np.array(devices.devices).reshape(sizes))
        if isinstance(wanted, str):
            with pytest.raises(UserError, match=wanted):
                _ = devices.share
        else:
            assert devices.share == wanted


@pytest.mark.parametrize("objective", ["clm", "strips", "towers", "span"])
@pytest.mark.parametrize("changes", [{}, {"layout": "bucket", "buckets": (16,)}, {"stages": ((1, 16, 16),)}], ids=str)
def test_shares_put_together_are_the_batch_of_one_process(objective, changes, spec):
    config = experiment(spec, objective)
    layouts = config.objective.layouts
    if (objective == "strips" and changes) or changes.get("layout", layouts[0]) not in layouts:
        pytest.skip("no such layout")
    data = dataclasses.replace(config.data, **changes)
    dataset = open_data(data, config.objective)
    whole, first, second = dataset.train(3), dataset.train(3, 0, 2), dataset.train(3, 1, 2)
    for _ in range(3):
        batch, parts = next(whole), (next(first), next(second))
        assert whole.get_state() == first.get_state() == second.get_state()
        for name, x in batch.items():
            np.testing.assert_array_equal(x, np.concatenate([part[name] for part in parts]), name)


LATE = "import seqjax.training.processes as p, launch; p.START_SECONDS = 2; raise SystemExit(launch.main())"


@pytest.mark.parametrize("process", [0, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_missing_process_is_advice(process, tmp_path):
    words = ["train", "bert_base", "--tiny", "--run", str(tmp_path / "run"), "--distributed", "--processes", "2"]
    words += ["--coordinator", f"127.0.0.1:{free_port()}", "--process", str(process)]
    ended = subprocess.run([sys.executable, "-c", LATE, *words], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 2, ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("error: the processes of this run did not meet within 2 seconds; see that all 2 processes")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("10.0.0.1:1234", 2, None), "go together"),
        (("10.0.0.1", 2, 0), "must be HOST:PORT"),
        (("10.0.0.1:99999", 2, 0), "must be HOST:PORT"),
        (("10.0.0.1:1234", 0, 0), "--processes 0 must be at least 1"),
        (("10.0.0.1:1234", 2, 2), "less than --processes 2"),
    ],
)
def test_impossible_arguments_are_refused_before_anybody_waits(arguments, message):
    with pytest.raises(UserError, match=message):
        processes.connect(*arguments)


def test_a_folder_that_processes_do_not_share_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "SEEN_SECONDS", 0.1)
    processes.see(tmp_path)
    with pytest.raises(UserError, match="give --run a folder that all processes see"):
        processes.see(tmp_path / "run.json")


def test_a_command_of_one_process_says_what_is_for_several(capsys):
    command = ["train", "bert_base", "--tiny"]
    for words, message in (
        (["--process", "0"], "need --distributed"),
        (["--distributed", "--seeds", "2"], "--distributed trains one seed"),
        (["--distributed", "--processes", "2"], "go together"),
    ):
        assert launch.main([*command, *words]) == 2
        assert message in capsys.readouterr().err
