# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a model remembers between calls, as explicit values."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class KVCache:
    """Keys and values of one layer (or of all layers, stacked on a leading axis under a scan)."""

    k_BSNH: jax.Array
    v_BSNH: jax.Array

    def write(self, k_BLNH: jax.Array, v_BLNH: jax.Array, slot: jax.Array | int) -> "KVCache":
        """Returns the cache with L new keys and values at slots slot, slot + 1, ... of every row."""
        return KVCache(
            jax.lax.dynamic_update_slice_in_dim(self.k_BSNH, k_BLNH.astype(self.k_BSNH.dtype), slot, axis=1),
            jax.lax.dynamic_update_slice_in_dim(self.v_BSNH, v_BLNH.astype(self.v_BSNH.dtype), slot, axis=1),
        )


@flax.struct.dataclass
class TransformerCarry:
    """What a causal Transformer has read so far."""

    layers: tuple[KVCache, ...] | KVCache
    segments_BS: jax.Array  # 0 where nothing stands yet, or padding
    slot: jax.Array  # int32 scalar: the first free slot, the same for every row
    sources: tuple[KVCache, ...] | KVCache | None = None  # encoder-decoder: each layer's keys of the source
    source_segments_BS: jax.Array | None = None

    def take(self, rows_B: jax.Array) -> "TransformerCarry":
        """Returns the carry of these rows of the batch, each as often as it is named."""

        def pick(caches: Any) -> Any:
            axis = 1 if isinstance(caches, KVCache) else 0  # stacked layers stand before the rows
            return jax.tree.map(lambda leaf: jnp.take(leaf, rows_B, axis=axis), caches)

        source_segments_BS = None if self.source_segments_BS is None else self.source_segments_BS[rows_B]
        return TransformerCarry(
            pick(self.layers), self.segments_BS[rows_B], self.slot, pick(self.sources), source_segments_BS
        )


def empty_cache(batch: int, length: int, heads: int, head_width: int, dtype: jnp.dtype) -> KVCache:
    """Returns a cache of `length` free slots for one layer."""
    zeros = jnp.zeros((batch, length, heads, head_width), dtype)
    return KVCache(zeros, zeros)
