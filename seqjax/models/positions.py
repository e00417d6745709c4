# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Position information as pure functions."""

import jax
import jax.numpy as jnp


def from_segments(segments_BL: jax.Array, before_B: jax.Array | None = None) -> jax.Array:
    """Returns int32 [B, L]: positions of an unpacked row, which count its real tokens and ignore padding on any side.

    Args:
      segments_BL: 0 at padding.
      before_B: how many real tokens of each row came in earlier calls (none by default).
    """
    count_BL = jnp.cumsum(segments_BL > 0, axis=1, dtype=jnp.int32) - 1
    if before_B is not None:
        count_BL = count_BL + before_B[:, None]
    return jnp.maximum(count_BL, 0)


def rotary(x_BLNH: jax.Array, positions_BL: jax.Array, base: float = 10_000.0) -> jax.Array:
    """Returns x with each pair of features (i, i + H/2) rotated by position * base^(-2i/H); float32 inside.

    Source: Su et al. 2021, "RoFormer", eq. 34, in the half-split pairing of GPT-NeoX and Llama (the paper pairs
    neighbours; the two differ by a fixed permutation of the features).
    """
    half = x_BLNH.shape[-1] // 2
    frequency_h = base ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle_BL1h = positions_BL[:, :, None, None].astype(jnp.float32) * frequency_h[None, None, None, :]
    cos, sin = jnp.cos(angle_BL1h), jnp.sin(angle_BL1h)
    first, second = jnp.split(x_BLNH.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x_BLNH.dtype)
