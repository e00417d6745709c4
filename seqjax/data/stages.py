# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Warm-up of the length or number of rows: a run's first updates read batches of another shape (`Data.stages`).

Length: Li et al. 2021 (arXiv:2108.06084), and BERT's two phases, 128 tokens for 90 % of the updates, then 512 (Devlin
et al. 2019, appendix A.2). Batch: Brown et al. 2020, section 2.3. Each stage is compiled once, so a ramp is few
steps. There are as many micro-batches in every stage: a stage of fewer rows has smaller ones.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def stage_seed(seed: int, stage: int) -> int:
    """Returns the seed of a stage's order and corruption; the first one's is the run's own."""
    return seed if stage == 0 else int(np.random.SeedSequence((seed, stage)).generate_state(1)[0])


class StagedIterator:
    """One stage's batches after the other's: a function of (seed, stage, position in the stage)."""

    def __init__(self, updates: Sequence[int], open_stage: Callable[[int], Any]):
        """Begins with the first stage.

        Args:
          updates: how many batches each stage gives, except the last, which has no end.
          open_stage: number -> that stage's endless iterator, at its beginning.
        """
        self._updates, self._open = updates, open_stage
        self._stage, self._taken, self._iterator = 0, 0, open_stage(0)

    def __iter__(self) -> "StagedIterator":
        return self

    def __next__(self) -> Any:
        if self._stage < len(self._updates) and self._taken == self._updates[self._stage]:
            self._enter(self._stage + 1)
        batch = next(self._iterator)
        self._taken += 1
        return batch

    def get_state(self) -> dict[str, Any]:
        """Returns the position as JSON values."""
        return {"stage": self._stage, "taken": self._taken, "inner": self._iterator.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to a position that `get_state` gave."""
        self._enter(state["stage"])
        self._taken = state["taken"]
        self._iterator.set_state(state["inner"])

    def close(self) -> None:
        """Ends the threads that prepare batches."""
        self._iterator.close()

    def _enter(self, stage: int) -> None:
        self._iterator.close()
        self._stage, self._taken, self._iterator = stage, 0, self._open(stage)
