# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Causal language modelling: say the next token (Radford et al. 2018, eq. 1)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require
from seqjax.objectives.losses import sums, token_scores
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.types import Apply, Batch, Params


@dataclasses.dataclass(frozen=True)
class CLM(Objective):
    """Settings of causal language modelling."""

    framing: ClassVar[str] = "continuous"
    lookahead: ClassVar[int] = 1
    layouts: ClassVar[tuple[str, ...]] = (*Objective.layouts, "strips")
    one_way: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("clm",)

    label_smoothing: float = 0.0
    z_loss: float = 0.0
    chunk: int = 0  # places whose logits are in memory at a time (0: all), see `losses.token_scores`

    def __post_init__(self) -> None:
        require(self, "objective", ("label_smoothing",), 0, 1)
        require(self, "objective", ("z_loss", "chunk"), 0)

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

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of targets."""
        return {self.terms[0]: jnp.sum(batch["weights"])}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats, and the number of targets that got the largest logit."""
        scored = token_scores(batch["targets"], key is not None, self.label_smoothing, self.z_loss, self.chunk)
        loss_BL, hit_BL = scored.read(call(apply, params, batch, key, **scored.options()))
        return sums(self.terms[0], batch["weights"], loss_BL, hit_BL)
