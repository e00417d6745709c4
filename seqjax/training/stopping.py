# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Why a run ends before its last step: nothing improves any more, or somebody asks it to."""

import math
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils


class EarlyStopping:
    """Counts evaluations since the best one. Its state is the run's metrics, so a resumed run goes on counting."""

    def __init__(self, metric: str, direction: str, patience: int, history: Sequence[Mapping[str, Any]] = ()):
        """Begins where `history`, the lines of metrics.jsonl, leaves off; the evaluation before training is no part."""
        self._metric, self._sign, self._patience = metric, 1.0 if direction == "max" else -1.0, patience
        self.best = -math.inf
        self.best_step: int | None = None
        self._since = 0
        for line in history:
            if f"eval/{metric}" in line and line["step"] > 0:
                self.see(line["step"], line[f"eval/{metric}"])

    def see(self, step: int, value: float) -> None:
        """Takes note of an evaluation. Equal to the best so far is no improvement, nor is a NaN."""
        if self._sign * value > self.best:
            self.best, self.best_step, self._since = self._sign * value, step, 0
        else:
            self._since += 1

    @property
    def best_value(self) -> float | None:
        """The best metric seen, None before the first evaluation."""
        return None if self.best_step is None else self._sign * self.best

    @property
    def stop(self) -> bool:
        """Whether patience has run out."""
        return bool(self._patience) and self._since >= self._patience


class Asked:
    """Whether somebody has asked the run to stop."""

    def __init__(self) -> None:
        self.several = jax.process_count() > 1
        self.seen: list[int] = []  # numbers of signals
        self._times, self._agreed = 0, False

    def __call__(self) -> bool:
        """Returns whether to stop; to be asked before each update and each batch of an evaluation.

        Of several processes all ask equally often, and all are told the same at the same time.
        """
        if self.several and not self._agreed:
            self._times += 1
            self._agreed = multihost_utils.reached_preemption_sync_point(self._times)
        return self._agreed if self.several else bool(self.seen)


@contextmanager
def interruptions() -> Iterator[Asked]:
    """While open, the first SIGTERM or Ctrl-C is only taken note of; a second one ends the program as usual.

    Clusters give a process some 30 seconds between SIGTERM and SIGKILL: an update is finished, an evaluation is not.

    Yields:
      What is to be asked. Outside the main thread, where Python delivers no signals, it never becomes true.

    Of several processes one that is asked to stop tells the others, and all stop after the same update or batch. There
    JAX listens for SIGTERM, and no second one ends the program.
    """
    asked = Asked()
    several, seen = asked.several, asked.seen
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    numbers = (signal.SIGINT,) if several else (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        for other, handler in before.items():
            signal.signal(other, handler)
        if several:
            os.kill(os.getpid(), signal.SIGTERM)  # which JAX tells the others

    for number in before:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
