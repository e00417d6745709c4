# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run writes and shows while it goes: metrics.jsonl, TensorBoard events, and progress.

A line of metrics.jsonl is one JSON object, `{"step": 10, "train/loss": 2.31, "train/lr": 0.001}`. Floats are written by
`repr`, so that reading gives back the same bits. JSON has no word for what is not finite; such values are the strings
"NaN", "Infinity" and "-Infinity" (as in the JSON mapping of protocol buffers), and `read_metrics` gives numbers.
"""

import collections
import json
import math
import numbers
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqjax.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

METRICS = "metrics.jsonl"
PLAIN_SECONDS = 10.0  # between two lines where stderr is no terminal
SAMPLE_SECONDS = 0.5  # between two of the samples that the recent speed is taken from
SAMPLES = 61  # so the speed is that of the last 30 seconds, or of the last 60 updates where one takes longer than 0.5 s


class MetricsFile:
    """Appends to metrics.jsonl, and to TensorBoard event files beside it if asked."""

    def __init__(self, folder: Path, after: int | None = None, tensorboard: bool = False):
        """Opens the file, first removing what a resumed run is about to write again.

        Args:
          folder: of the run; created if need be.
          after: keep the lines of steps up to this one, a resume's; -1 keeps none, None keeps all. A line that a killed
            process left half written is dropped in any case. The file is replaced in one rename, so being killed here
            loses nothing.
          tensorboard: write event files under `folder/tensorboard` too; on a resume TensorBoard is told to hide the
            later steps of earlier files.

        Raises:
          UserError: tensorboardX is not installed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / METRICS
        before = path.read_bytes() if path.exists() else b""
        kept = b"".join(_complete(before, math.inf if after is None else after))
        if kept != before:
            partial = path.with_name(f"{METRICS}.partial")
            partial.write_bytes(kept)
            partial.replace(path)
        self._events = _event_writer(folder / "tensorboard", after) if tensorboard else None
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Appends one line, and hands it to the operating system at once.

        Raises:
          ValueError: a value is called "step".
        """
        if "step" in values:
            raise ValueError("'step' names the line itself and cannot be the name of a value")
        fields = {"step": int(step)} | dict(values)
        line = ", ".join(f"{json.dumps(name)}: {_number(value)}" for name, value in fields.items())
        self._file.write(f"{{{line}}}\n")
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(name, float(value), step)

    def close(self) -> None:
        """Closes the files; closing twice does nothing."""
        self._file.close()
        if self._events is not None:
            self._events.close()


class NoMetrics:
    """Takes what MetricsFile does and writes nothing."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        pass

    def close(self) -> None:
        pass


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Returns the lines of a run's metrics.jsonl; none where the file is not there yet.

    A last line without its end is left out: the run is being written, or was killed while it wrote.

    Raises:
      UserError: another line is not an object of a step and numbers.
    """
    path = folder / METRICS
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(lines := path.read_bytes().splitlines(keepends=True), 1):
        record = _parse(line)
        if record is not None:
            records.append(record)
        elif number < len(lines) or line.endswith(b"\n"):
            raise UserError(f"{path}, line {number}, is not what a run writes; remove the line")
    return records


def last_values(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Returns the last value of each metric of training and evaluation, by name."""
    return {name: value for line in records for name, value in line.items() if name.startswith(("train/", "eval/"))}


def series(records: Iterable[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns (steps int64 [T], values float64 [T]) of one metric, in the order of the lines that hold it."""
    found = [(record["step"], record[name]) for record in records if name in record]
    return np.array([step for step, _ in found], np.int64), np.array([value for _, value in found], np.float64)


def _complete(content: bytes, last: float) -> Iterable[bytes]:
    """The whole lines of steps up to `last`, as they stand."""
    for line in content.splitlines(keepends=True):
        record = _parse(line)
        if record is not None and record["step"] <= last:
            yield line if line.endswith(b"\n") else line + b"\n"  # a closing brace says that only its end is missing


def _parse(line: bytes) -> dict[str, Any] | None:
    """A line as {"step": int, name: number}, None where it is not one."""
    try:
        record = json.loads(line)
        if not isinstance(record, dict) or not isinstance(record["step"], int):
            return None
        return {name: value if isinstance(value, int) else float(value) for name, value in record.items()}
    except (ValueError, KeyError, TypeError):
        return None


def _number(value: float) -> str:
    if isinstance(value, numbers.Integral):
        return str(int(value))
    value = float(value)
    if math.isfinite(value):
        return repr(value)
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def _event_writer(folder: Path, after: int | None) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise UserError("run.tensorboard=true needs tensorboardX; install it with `pip install tensorboardX`") from None
    # A file is named by the second and opened afresh: without a suffix a quick resume would overwrite the one before.
    suffix = f".{time.time_ns()}"
    purge = None if after is None else after + 1
    return SummaryWriter(str(folder), purge_step=purge, flush_secs=10, filename_suffix=suffix)


class Progress:
    """Shows on stderr how a run goes: a live bar on a terminal, elsewhere a plain line every ten seconds.

    with Progress(1000, 0, "bert_tiny") as progress:
        progress.update(1, {"loss": 2.31, "tokens_per_s": 1.2e4, "mfu": 0.31, "compile_s": 8.5})
    """

    def __init__(
        self,
        total_steps: int,
        start_step: int,
        description: str,
        quiet: bool = False,
        *,
        console: "Console | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Shows nothing yet.

        Args:
          total_steps: of the whole run.
          start_step: updates already applied, more than 0 in a resumed run.
          description: what the line begins with.
          quiet: never show anything, messages included.
          console: where to show it; stderr by default.
          clock: seconds from anywhere.
        """
        self._total, self._start, self._description, self._clock = total_steps, start_step, description, clock
        self._samples: collections.deque[tuple[float, int]] = collections.deque(maxlen=SAMPLES)
        self._console = None if quiet else console or _stderr()
        self._bar: Any = None
        self._said: float | None = None  # when the last plain line was printed
        self._unsaid: str | None = None  # the line of an update since

    def __enter__(self) -> Self:
        """Shows the bar, on a terminal."""
        if self._console is not None and self._console.file.isatty() and not self._console.is_dumb_terminal:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task(
                self._description, total=self._total, completed=self._start, shown="compiling"
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the bar, or the last plain line, as it stood at the last update."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif self._unsaid is not None:
            self.message(self._unsaid)
            self._unsaid = None

    def update(self, step: int, values: Mapping[str, float]) -> None:
        """Shows that `step` updates are done.

        Args:
          step: updates applied so far.
          values: any of loss (nats), tokens_per_s, mfu (a fraction) and compile_s (seconds); others are not shown.
        """
        if self._console is None:
            return
        now = self._clock()
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_SECONDS:
            self._samples.append((now, step))
        if self._bar is not None:
            self._bar.update(self._task, completed=step, shown=self._text(now, step, values, compiled=True))
            return
        share = f" ({step / self._total:.0%})" if self._total else ""
        text = self._text(now, step, values, compiled=self._said is None)
        self._unsaid = f"{self._description}: step {step}/{self._total}{share}  {text}".rstrip()
        if self._said is None or now - self._said >= PLAIN_SECONDS:
            self.message(self._unsaid)
            self._said, self._unsaid = now, None

    def message(self, text: str) -> None:
        """Prints a line, above the bar if there is one."""
        if self._console is not None:
            self._console.out(text, highlight=False)

    def _text(self, now: float, step: int, values: Mapping[str, float], compiled: bool) -> str:
        parts = []
        if "loss" in values:
            parts.append(f"loss {values['loss']:.4f}")
        if "tokens_per_s" in values:
            parts.append(f"{values['tokens_per_s']:,.0f} tokens/s")
        if math.isfinite(values.get("mfu", math.nan)):
            parts.append(f"MFU {values['mfu']:.1%}")
        if (seconds := self._remaining(now, step)) is not None:
            parts.append(f"ETA {_duration(seconds)}")
        if compiled and "compile_s" in values:
            parts.append(f"compile {values['compile_s']:.1f} s")
        return "  ".join(parts)

    def _remaining(self, now: float, step: int) -> float | None:
        """Seconds to go at the recent speed; the first sample comes after compiling, and resumed steps are no part."""
        then, before = self._samples[0]
        if step <= before or step >= self._total:
            return None
        return (self._total - step) * (now - then) / (step - before)


def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def _bar(console: "Console") -> Any:
    import sys

    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}", markup=False),
        TextColumn("{task.fields[shown]}", markup=False),
    )
    # What goes to stdout is a result that may be piped elsewhere; only on a terminal must it make room for the bar.
    return Progress(*columns, console=console, refresh_per_second=4, redirect_stdout=sys.stdout.isatty())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
