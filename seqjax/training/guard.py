# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Steps that are better not taken: a gradient far larger than those before it, or no number while the loss is one.

Such batches are what loss spikes begin with; Chowdhery et al. 2022 (PaLM, section 5.1) skip them by hand.
"""

import flax.struct
import jax
import jax.numpy as jnp

WINDOW = 64  # gradient norms that the median is of
LEAST = 8  # norms before anything is judged


@flax.struct.dataclass
class Guard:
    """What the guard remembers.

    Attributes:
      norms_W: float32 [WINDOW], the last finite gradient norms, in no order; NaN where there is none yet.
      seen: int32 scalar, finite norms so far.
      skipped: int32 scalar, steps not taken so far.
    """

    norms_W: jax.Array
    seen: jax.Array
    skipped: jax.Array


def initial_guard() -> Guard:
    """Returns the guard before the first step."""
    zero = jnp.zeros((), jnp.int32)
    return Guard(jnp.full(WINDOW, jnp.nan, jnp.float32), zero, zero)


def judge(guard: Guard, norm: jax.Array, factor: float) -> tuple[jax.Array, Guard]:
    """Returns whether to skip a step with this gradient norm, and the guard after it.

    A norm above `factor` times the median of the last ones is skipped. It enters the median all the same: where large
    gradients have come to stay, they are soon taken.
    """
    finite = jnp.isfinite(norm)
    spike = (guard.seen >= LEAST) & (norm > factor * jnp.nanmedian(guard.norms_W))
    skip = spike | ~finite
    place = jnp.arange(WINDOW) == guard.seen % WINDOW
    norms_W = jnp.where(place & finite, norm, guard.norms_W)
    return skip, Guard(norms_W, guard.seen + finite, guard.skipped + skip)
