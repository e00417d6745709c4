# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""metrics.jsonl survives being killed, progress is readable in a log, and peak speeds are those of the datasheets."""

import io
import json
import math
import re
import struct
import types

import numpy as np
import pytest
from rich.console import Console

from seqjax.errors import UserError
from seqjax.training import chips
from seqjax.training.chips import peak_flops
from seqjax.training.logging import MetricsFile, Progress, read_metrics, series


def write(folder, steps, after=None, tensorboard=False):
    """What a run writes of these steps: training every step, an evaluation after every even one."""
    file = MetricsFile(folder, after, tensorboard)
    for step in steps:
        file.write(step, {"train/loss": 1.0 / (step + 3), "train/lr": np.float32(0.1) * step})
        if step % 2 == 0:
            file.write(step, {"eval/loss": math.exp(-step)})
    file.close()
    return (folder / "metrics.jsonl").read_bytes()


def test_lines_are_json_objects_of_step_and_values(tmp_path):
    file = MetricsFile(tmp_path)
    file.write(10, {"train/loss": 2.31, "train/tokens": 2**60 + 1})
    # Read before it is closed: whoever kills the run finds the line.
    assert (
        tmp_path / "metrics.jsonl"
    ).read_text() == '{"step": 10, "train/loss": 2.31, "train/tokens": 1152921504606846977}\n'
    file.close()
    file.close()


def test_floats_round_trip_bit_for_bit(tmp_path, rng):
    bits = rng.integers(0, 2**64, 2000, dtype=np.uint64).view(np.float64)
    values = {str(i): x for i, x in enumerate(bits)} | {"float32": np.float32(0.1), "tiny": 5e-324, "minus zero": -0.0}
    file = MetricsFile(tmp_path)
    file.write(0, values)
    file.close()
    (record,) = read_metrics(tmp_path)
    for name, value in values.items():
        assert struct.pack("d", record[name]) == struct.pack("d", value) or (
            math.isnan(record[name]) and math.isnan(value)
        )
    assert record["float32"] == float(np.float32(0.1)) != 0.1


def test_values_that_are_not_finite_are_valid_json_and_come_back(tmp_path):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    file = MetricsFile(tmp_path)
    file.write(1, {"a": math.nan, "b": math.inf, "c": np.float32(-math.inf)})
    file.close()
    json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    (record,) = read_metrics(tmp_path)
    assert math.isnan(record["a"]) and record["b"] == math.inf and record["c"] == -math.inf


@pytest.mark.parametrize("last", range(-1, 7))
@pytest.mark.parametrize("torn", range(0, 50, 7))
def test_killed_anywhere_and_resumed_is_byte_equal_to_uninterrupted(tmp_path, last, torn):
    """Resumed from a checkpoint of step `last`, after a kill that left `torn` bytes fewer than were written."""
    whole = write(tmp_path / "whole", range(12))
    before = write(tmp_path / "killed", range(10))
    (tmp_path / "killed" / "metrics.jsonl").write_bytes(before[: len(before) - torn])
    assert write(tmp_path / "killed", range(last + 1, 12), after=last) == whole
    assert not list((tmp_path / "killed").glob("*.partial"))


@pytest.mark.parametrize(
    "torn", [b'{"step": 2, "train/lo', b'{"step": 2, "train/loss": 0.25', b"\0" * 40, b"\xff\xfe{", b'{"x": 1}', b"7"]
)
def test_torn_line_is_dropped_to_the_byte(tmp_path, torn):
    whole = write(tmp_path, range(2))
    (tmp_path / "metrics.jsonl").write_bytes(whole + torn)
    assert [record["step"] for record in read_metrics(tmp_path)] == [0, 0, 1]
    assert write(tmp_path, [], after=2) == whole


def test_line_that_lacks_only_its_end_is_kept(tmp_path):
    whole = write(tmp_path, range(2))
    (tmp_path / "metrics.jsonl").write_bytes(whole[:-1])
    assert write(tmp_path, []) == whole


def test_opening_replaces_the_file_in_one_rename(tmp_path, monkeypatch):
    """A kill between writing the truncated copy and renaming it leaves the file whole."""
    whole = write(tmp_path, range(4))

    def killed(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(tmp_path), "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        MetricsFile(tmp_path, after=1)
    assert (tmp_path / "metrics.jsonl").read_bytes() == whole


def test_read_metrics_of_a_run_that_has_written_nothing(tmp_path):
    assert read_metrics(tmp_path) == []


@pytest.mark.parametrize("line", ["{", '{"train/loss": 1.0}', '{"step": 1, "a": "b"}', '{"step": 1.5}', "[1]"])
def test_malformed_line_within_the_file_is_named(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(f'{{"step": 0}}\n{line}\n{{"step": 2}}\n')
    with pytest.raises(UserError, match="line 2"):
        read_metrics(tmp_path)


def test_step_is_no_name_for_a_value(tmp_path):
    with pytest.raises(ValueError, match="step"):
        MetricsFile(tmp_path).write(1, {"step": 2.0})


def test_series_takes_the_lines_that_hold_the_metric(tmp_path):
    write(tmp_path, range(5))
    steps, values = series(read_metrics(tmp_path), "eval/loss")
    np.testing.assert_array_equal(steps, [0, 2, 4])
    np.testing.assert_array_equal(values, [math.exp(-step) for step in (0, 2, 4)])
    assert [len(array) for array in series(read_metrics(tmp_path), "eval/other")] == [0, 0]


def events(path):
    """The (step, message) pairs of an event file: records framed as length, CRC, message, CRC; field 2 is the step."""
    content, place, found = path.read_bytes(), 0, []
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        message = content[place + 12 : place + 12 + length]
        step, tag = 0, 9 if message[:1] == b"\x09" else 0  # a double, the wall time, comes first
        if message[tag : tag + 1] == b"\x10":  # varint; the steps here are below 128
            step = message[tag + 1]
        found.append((step, message))
        place += 12 + length + 4
    return found


def test_tensorboard_events_hold_each_value_and_a_resume_hides_later_ones(tmp_path):
    write(tmp_path, range(1, 6), after=-1, tensorboard=True)
    write(tmp_path, range(4, 7), after=3, tensorboard=True)
    first, second = sorted(
        (tmp_path / "tensorboard").glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns
    )

    def losses(path):
        scalar = re.compile(rb"train/loss\x15(.{4})|train/loss.{0,20}?\x15(.{4})", re.DOTALL)
        found = [(step, scalar.search(message)) for step, message in events(path)]
        return {step: struct.unpack("<f", hit[1] or hit[2])[0] for step, hit in found if hit}

    assert losses(first) == {step: np.float32(1.0 / (step + 3)) for step in range(1, 6)}
    assert losses(second) == {step: np.float32(1.0 / (step + 3)) for step in range(4, 7)}
    start = (
        b"\x3a\x02\x08\x01"  # session_log {status: START}: TensorBoard drops what came before of this step and later
    )
    assert [step for step, message in events(second) if message.endswith(start)] == [4]


def test_no_event_files_unless_asked(tmp_path):
    write(tmp_path, range(3))
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


class Screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def run(steps, seconds, start=0, total=100, terminal=False, quiet=False, values=None):
    """What is shown of a run of one update every `seconds`, the first after a minute of compiling."""
    screen, now = Screen(terminal), [0.0]
    console = Console(file=screen, width=120, _environ={"TERM": "xterm"})
    with Progress(total, start, "[b]name", quiet, console=console, clock=lambda: now[0]) as progress:
        now[0] += 60.0
        for step in steps:
            progress.update(step, {"loss": 1.0 / step, "tokens_per_s": 12345.6} | (values or {}))
            now[0] += seconds
        progress.message("[b]evaluated :smile:")
    return screen.getvalue()


def test_plain_lines_come_first_last_and_every_ten_seconds():
    lines = run(range(1, 51), 1.0).splitlines()
    assert lines.pop(-2) == "[b]evaluated :smile:"
    assert [int(re.search(r"step (\d+)/100", line)[1]) for line in lines] == [1, 11, 21, 31, 41, 50]
    assert lines[1] == "[b]name: step 11/100 (11%)  loss 0.0909  12,346 tokens/s  ETA 0:01:29"


def test_last_plain_line_is_not_repeated():
    assert run([1], 1.0).count("step 1/100") == 1


def test_long_plain_line_is_not_wrapped():
    long = "x" * 300
    screen = Screen(False)
    with Progress(10, 0, long, console=Console(file=screen, width=80)) as progress:
        progress.update(1, {})
        progress.message(long)
    assert [len(line) for line in screen.getvalue().splitlines()] == [len(f"{long}: step 1/10 (10%)"), 300]


def test_eta_is_of_recent_speed_and_not_of_resumed_steps():
    # 9,800 updates came before the resume; 100 remain at 2 s each, whatever those took and however long it compiled.
    assert "step 9900/10000 (99%)  loss 0.0001  12,346 tokens/s  ETA 0:03:20" in run(
        range(9801, 9901), 2.0, start=9800, total=10000
    )
    screen, now = Screen(False), [0.0]
    with Progress(10_000, 0, "", console=Console(file=screen), clock=lambda: now[0]) as progress:
        for step in range(1, 401):
            now[0] += 100.0 if step <= 200 else 1.0  # slow at first, as while a cache fills
            progress.update(step, {})
    assert screen.getvalue().splitlines()[-1].endswith("ETA 2:40:00")


def test_mfu_and_compile_time_are_shown_where_known():
    values = {"mfu": 0.314, "compile_s": 8.51}
    lines = run(range(1, 31), 1.0, values=values).splitlines()
    assert lines[0].endswith("MFU 31.4%  compile 8.5 s") and "compile" not in lines[1]
    assert "MFU" not in run([1], 1.0, values={"mfu": math.nan})


def test_terminal_gets_a_bar_with_messages_above_it():
    shown = run(range(1, 51), 1.0, terminal=True)
    assert "50/100" in shown and "loss 0.0200" in shown and "━" in shown and "\x1b[" in shown
    assert "ETA 0:00:50" in shown and "step 1/100" not in shown
    assert "[b]evaluated :smile:" in shown and "[b]name" in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet_shows_nothing(terminal):
    assert run(range(1, 51), 1.0, terminal=terminal, quiet=True) == ""


def test_shows_on_stderr(capsys):
    with Progress(10, 0, "name") as progress:
        progress.update(10, {"loss": 1.0})
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("name: step 10/10 (100%)  loss 1.0000")


@pytest.mark.parametrize(
    "kind, tera",
    [
        ("TPU v2", 22.5),
        ("TPU v3", 61.5),
        ("TPU v4", 275),
        ("TPU v4 lite", math.nan),
        ("TPU v5 lite", 197),
        ("TPU v5", 459),
        ("TPU v5p", 459),
        ("TPU v6 lite", 918),
        ("TPU7x", 1153.5),
        ("Tesla V100-SXM2-16GB", 125),
        ("Tesla V100-PCIE-32GB", 112),
        ("Tesla V100S-PCIE-32GB", 130),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", math.nan),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H100 NVL", 835.5),
        ("NVIDIA H200", 989.4),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", math.nan),
        ("Tesla T4", 65),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA GeForce RTX 4090 D", math.nan),
        ("Something new", math.nan),
    ],
)
def test_peak_flops_of_accelerators(kind, tera):
    peak = peak_flops(types.SimpleNamespace(platform="tpu" if "TPU" in kind else "gpu", device_kind=kind))
    assert peak == pytest.approx(tera * 1e12, nan_ok=True)


def test_peak_flops_of_a_cpu_is_measured_once(monkeypatch):
    import jax

    measured = peak_flops(jax.devices("cpu")[0])
    assert 1e9 < measured < 1e14
    monkeypatch.setattr(chips.time, "perf_counter", lambda: pytest.fail("measured again"))
    assert peak_flops(jax.devices("cpu")[-1]) == measured
