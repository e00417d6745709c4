# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which state of a text stands for all of it, and which may not."""

from seqjax.errors import UserError
from seqjax.models.model import ModelConfig

POOLS = ("first", "mean", "last")


def check_pool(pool: str, model: ModelConfig, other: str = "objective.pool=last") -> None:
    """Raises UserError where what is pooled would say nothing of the text.

    A model that reads one way has in its first state the first token alone, which begins every text; Radford et al.
    2018, equation 3, take the last.

    Args:
      pool: how.
      model: whose states.
      other: what to set instead.
    """
    if pool in ("first", "entities") and getattr(model, "causal", False):
        raise UserError(
            f"pool={pool} reads the first state, which in a model that reads one way is the same for every text; "
            + (f"set {other}" if pool == "first" else "use a model that reads both ways")
        )
