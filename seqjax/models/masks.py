# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Who may attend to whom, as pure functions of segments; True means "may attend"."""

import jax
import jax.numpy as jnp


def same_segment(query_segments_BL: jax.Array, key_segments_BS: jax.Array) -> jax.Array:
    """Returns bool [B, 1, L, S]: query and key belong to one document; padding (segment 0) is never attended to."""
    query, key = query_segments_BL[:, None, :, None], key_segments_BS[:, None, None, :]
    return (query == key) & (key > 0)


def causal(query_length: int, key_length: int, start: int | jax.Array = 0) -> jax.Array:
    """Returns bool [1, 1, L, S]: the key's place in the row is not after the query's; query 0 stands at `start`."""
    query, key = jnp.arange(query_length)[:, None] + start, jnp.arange(key_length)[None, :]
    return (key <= query)[None, None]
