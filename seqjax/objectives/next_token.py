# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What objectives that say one token after the other have in common."""

import jax
import jax.numpy as jnp

from seqjax.config import require
from seqjax.objectives.losses import sums, token_scores
from seqjax.objectives.objective import Objective, Pairs, call
from seqjax.types import Apply, Batch, Params


class NextToken(Objective):
    """The loss of "targets" that count by "weights", as the objective's one term; these are settings of each."""

    label_smoothing: float
    z_loss: float
    chunk: int

    def __post_init__(self) -> None:
        require(self, "objective", ("label_smoothing",), 0, 1)
        require(self, "objective", ("z_loss", "chunk"), 0)

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of targets."""
        return {self.terms[0]: jnp.sum(batch["weights"])}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats, and the number of targets that got the largest logit."""
        scored = token_scores(batch["targets"], key is not None, self.label_smoothing, self.z_loss, self.chunk)
        loss_BL, hit_BL = scored.read(call(apply, params, batch, key, **scored.options()))
        return sums(self.terms[0], batch["weights"], loss_BL, hit_BL)
