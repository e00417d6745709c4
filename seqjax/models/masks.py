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


def with_prefix(mask_11LS: jax.Array, key_prefix_BS: jax.Array) -> jax.Array:
    """Returns bool [B, 1, L, S]: as the causal mask, but a key in the prefix may be attended to from anywhere.

    Together with `same_segment` a prefix reads both ways and the rest one way (Raffel et al. 2020, section 3.2.1).
    """
    return mask_11LS | (key_prefix_BS > 0)[:, None, None, :]
