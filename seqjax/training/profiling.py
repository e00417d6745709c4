# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A trace of a few updates: what the devices and the host did, and when. `jax.profiler` records it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from seqjax.errors import UserError
from seqjax.training import processes

BEFORE = 3  # updates that are not traced: the first is compiled, and what the next ones need is not at hand yet
FOLDER = "trace"  # in the run's


def check_trace(updates: int, left: int) -> None:
    """Raises UserError where so many updates cannot be traced (0: none), for fewer are left of the run."""
    if updates and left < BEFORE + updates:
        raise UserError(
            f"--profile {updates} follows {BEFORE} updates that are not traced, and {left} are left; "
            "give fewer, or a new run with --run"
        )


class Trace:
    """Records some updates of a run into its folder; of several processes the first records its own devices."""

    def __init__(self, folder: Path, updates: int, start: int):
        """Records nothing yet.

        Args:
          folder: of the run.
          updates: how many to record (0: none); see `check_trace`.
          start: updates that were done when the run began or went on.
        """
        self.folder = folder / FOLDER
        self._updates = range(start + BEFORE, start + BEFORE + (updates if processes.first() else 0))
        self._open = False

    @contextmanager
    def update(self, step: int) -> Iterator[None]:
        """Around the update that follows `step` others, and what feeds it."""
        if step not in self._updates:
            yield
            return
        if not self._open:
            # The second format is that of a page which needs no installation.
            jax.profiler.start_trace(self.folder, create_perfetto_trace=True)
            self._open = True
        with jax.profiler.StepTraceAnnotation("update", step_num=step):
            yield

    def done(self, step: int, results: Any) -> None:
        """After `step` updates, of which the last gives these results, in time."""
        if self._open and step == self._updates.stop:
            jax.block_until_ready(results)
            self.close()

    def close(self) -> None:
        """Writes what was recorded."""
        if self._open:
            self._open = False
            jax.profiler.stop_trace()


def how_to_view(folder: str) -> str:
    """Returns where a trace is and how it is looked at."""
    return (
        f"trace: {folder}; open its perfetto_trace.json.gz at https://ui.perfetto.dev, "
        f"or: pip install xprof && xprof --logdir {folder}"
    )
