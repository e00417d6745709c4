# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is seen of a run while it goes: metrics read one update late, so that the device never waits for the host."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from seqjax.errors import Diverged
from seqjax.objectives.objective import Pairs
from seqjax.training.logging import MetricsFile, NoMetrics, Progress


class Watch:
    """Writes metrics.jsonl and shows progress.

    Everything under "train/" and "eval/" is a function of configuration and data; what depends on the machine's mood
    stands under "perf/".
    """

    def __init__(
        self,
        folder: Path,
        metrics: MetricsFile | NoMetrics,
        progress: Progress,
        learning_rate: Callable[[int], Any],
        log_every: int,
        work: Callable[[Mapping[str, Any]], tuple[int, float]],
    ):
        """Begins with nothing pending.

        Args:
          folder: of the run, for the evidence of a divergence.
          metrics: where lines go.
          progress: what the user sees.
          learning_rate: by the number of updates already applied.
          log_every: updates between lines.
          work: function from a batch of this process to the places that it holds over all processes, and the seconds
            that an update of it would take at the peak speed of all devices.
        """
        self._folder, self._metrics, self._progress = folder, metrics, progress
        self._learning_rate, self._log_every, self._work = learning_rate, log_every, work
        self._pending: tuple[int, Pairs, Mapping[str, np.ndarray]] | None = None
        self._untimed = -1
        self.last: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """The next update is compiled first."""
        self._compile_seconds: float | None = None
        self._shown: dict[str, float] = {}  # the speed up to the last line; a window of a few updates says little
        self._restart()

    def _restart(self) -> None:
        self._clock = time.perf_counter()
        self._done = [0, 0.0]  # the work since

    def dispatched(self, step: int, pairs: Pairs, batch: Mapping[str, np.ndarray]) -> None:
        """Takes the metrics of update `step`, not yet computed perhaps, after settling those of the one before."""
        if self._compile_seconds is None:
            self._compile_seconds = time.perf_counter() - self._clock  # dispatch returns once compiled
            jax.block_until_ready(pairs)
            self.settle()
            self._restart()
            self._untimed = step  # it was done before the clock started
        self.settle()
        self._pending = (step, pairs, batch)

    def settle(self) -> None:
        """Reads and writes what is pending.

        Raises:
          Diverged: its loss is NaN or infinite; the batch is written to the run's folder.
        """
        if self._pending is None:
            return
        step, pairs, batch = self._pending
        self._pending = None
        values = {f"train/{name}": float(a) / float(w) for name, (a, w) in jax.device_get(pairs).items() if w > 0}
        if step != self._untimed:
            self._done = [before + more for before, more in zip(self._done, self._work(batch), strict=True)]
        if not math.isfinite(values["train/loss"]):
            raise Diverged(self._keep_evidence(step, values["train/loss"], batch))
        applied = step - int(values.get("train/skipped", 0))
        values["train/lr"] = float(self._learning_rate(max(applied - 1, 0)))  # of the last that was applied
        speed = self._speed()
        self._progress.update(step, {"loss": values["train/loss"]} | (self._shown or speed))
        self.last.update(values)
        if step % self._log_every == 0:
            self._metrics.write(step, values | {f"perf/{name}": value for name, value in speed.items()})
            self._shown = speed
            self._restart()

    def evaluated(self, step: int, scores: Mapping[str, float]) -> None:
        """Writes down and shows an evaluation."""
        values = {f"eval/{name}": value for name, value in scores.items()}
        self.last.update(values)
        self._metrics.write(step, values)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
        self._progress.message(f"step {step}: evaluation: {shown}")

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leaves the time spent inside out of the speed."""
        start = time.perf_counter()
        yield
        self._clock += time.perf_counter() - start

    def _speed(self) -> dict[str, float]:
        out = {} if self._compile_seconds is None else {"compile_s": self._compile_seconds}
        places, least = self._done
        if places:
            seconds = time.perf_counter() - self._clock
            out["tokens_per_s"] = places / seconds
            if math.isfinite(least):
                out["mfu"] = least / seconds
        return out

    def _keep_evidence(self, step: int, loss: float, batch: Mapping[str, np.ndarray]) -> str:
        whose = f"-process-{jax.process_index()}" if jax.process_count() > 1 else ""
        path = self._folder / f"diverged-step-{step}{whose}.npz"
        arrays: dict[str, Any] = {name: np.asarray(x) for name, x in batch.items()}
        np.savez_compressed(path, **arrays)
        return (
            f"the loss of update {step} is {loss}; its batch is in {path} and the last checkpoint before it is kept; "
            "try a lower optimizer.peak_lr, a longer optimizer.warmup or optimizer.clip"
        )
