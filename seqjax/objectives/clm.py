# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Causal language modelling: say the next token (Radford et al. 2018, eq. 1)."""

import dataclasses
from typing import ClassVar

import numpy as np

from seqjax.objectives.next_token import NextToken
from seqjax.objectives.objective import Objective, Row, Vocabulary


@dataclasses.dataclass(frozen=True)
class CLM(NextToken):
    """Settings of causal language modelling."""

    framing: ClassVar[str] = "continuous"
    lookahead: ClassVar[int] = 1
    layouts: ClassVar[tuple[str, ...]] = (*Objective.layouts, "strips")
    one_way: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("clm",)

    label_smoothing: float = 0.0
    z_loss: float = 0.0
    chunk: int = 0  # places whose logits are in memory at a time (0: all), see `losses.token_scores`

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns tokens, targets, segments, positions and weights [L] of a row of L + 1 places.

        A place counts when the next one belongs to the same document.
        """
        del rng, vocabulary
        segments = row["segments"]
        counts = (segments[1:] == segments[:-1]) & (segments[:-1] > 0)
        return {
            "tokens": row["tokens"][:-1],
            "targets": np.where(counts, row["tokens"][1:], 0).astype(np.int32),
            "segments": segments[:-1],
            "positions": row["positions"][:-1],
            "weights": counts.astype(np.float32),
        }
