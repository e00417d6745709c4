# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Position information as pure functions, and the one table that relative positions need."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


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


def sinusoids(positions_BL: jax.Array, width: int, base: float = 10_000.0) -> jax.Array:
    """Returns float32 [B, L, D]: sin(position * base^(-2i/D)) for i < D/2, then the cosines.

    Source: Vaswani et al. 2017, section 3.5, with sines and cosines side by side as in the authors' tensor2tensor (the
    paper interleaves them; the two differ by a fixed permutation of the features).
    """
    half = width // 2
    frequency_h = base ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle_BLh = positions_BL[:, :, None].astype(jnp.float32) * frequency_h[None, None, :]
    return jnp.concatenate([jnp.sin(angle_BLh), jnp.cos(angle_BLh)], axis=-1)


def buckets(distance: jax.Array, count: int, longest: int, both_ways: bool) -> jax.Array:
    """Returns which of `count` buckets each distance (place of the key - place of the query) falls into.

    Half of the buckets of a direction hold one distance each, the other half grow logarithmically up to `longest`;
    beyond it all share the last. With `both_ways` the upper half of the buckets is for keys to the right; else keys to
    the right count as distance 0. Source: Raffel et al. 2020 (T5), section 2.1, and the published code's arithmetic.
    """
    per_way = count // 2 if both_ways else count
    exact = per_way // 2
    # On the host in float32, as published: a compiler may round the boundaries between buckets otherwise.
    far = np.maximum(np.arange(longest + 1), exact).astype(np.float32)
    growth = np.log(far / np.float32(exact)) / np.float32(math.log(longest / exact)) * np.float32(per_way - exact)
    table = np.where(np.arange(longest + 1) < exact, np.arange(longest + 1), exact + growth.astype(np.int32))
    table = np.minimum(table, per_way - 1).astype(np.int32)
    size = jnp.abs(distance) if both_ways else jnp.maximum(-distance, 0)
    bucket = jnp.asarray(table)[jnp.minimum(size, longest)]
    return bucket + jnp.where(distance > 0, per_way, 0) if both_ways else bucket


class RelativeBias(nn.Module):
    """A learned bias for each head and bucket of distances, shared by all layers (Raffel et al. 2020, section 2.1)."""

    heads: int
    count: int
    longest: int
    both_ways: bool
    embedding_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, length: int, keys: int, slot: jax.Array | int) -> jax.Array:
        """Returns float32 [1, N, L, S] for queries at places slot, slot + 1, ... and keys at 0 .. S - 1 of a row."""
        table = self.param("embedding", self.embedding_init, (self.count, self.heads), jnp.float32)
        distance_LS = jnp.arange(keys)[None, :] - (jnp.arange(length)[:, None] + slot)
        bias_LSN = jnp.asarray(table)[buckets(distance_LS, self.count, self.longest, self.both_ways)]
        return bias_LSN.transpose(2, 0, 1)[None]
