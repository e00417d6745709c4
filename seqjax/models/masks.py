# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Who may attend to whom, as pure functions of segments; True means "may attend"."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from seqjax.models.constrain import portion


def same_segment(query_segments_BL: jax.Array, key_segments_BS: jax.Array) -> jax.Array:
    """Returns bool [B, 1, L, S]: query and key belong to one document; padding (segment 0) is never attended to."""
    query, key = query_segments_BL[:, None, :, None], key_segments_BS[:, None, None, :]
    return (query == key) & (key > 0)


def causal(places_L: jax.Array, key_length: int) -> jax.Array:
    """Returns bool [1, 1, L, S]: the key's place in the row is not after the query's, which is given."""
    return (jnp.arange(key_length)[None, :] <= places_L[:, None])[None, None]


def with_prefix(mask_11LS: jax.Array, key_prefix_BS: jax.Array) -> jax.Array:
    """Returns bool [B, 1, L, S]: as the causal mask, but a key in the prefix may be attended to from anywhere.

    Together with `same_segment` a prefix reads both ways and the rest one way (Raffel et al. 2020, section 3.2.1).
    """
    return mask_11LS | (key_prefix_BS > 0)[:, None, None, :]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("queries_BL", "keys_BS", "start", "prefix_BS"),
    meta_fields=("causal",),
)
@dataclasses.dataclass(frozen=True)
class Mask:
    """A mask described, not written out: some kernels read the description, others a few rows at a time.

    Attributes:
      queries_BL: segments of the queries.
      keys_BS: segments of the keys.
      causal: keys after the query are hidden.
      start: the place among the keys where query 0 stands; None: queries and keys are the same places.
      prefix_BS: above 0 where a key is seen from anywhere, even so.
    """

    queries_BL: jax.Array
    keys_BS: jax.Array
    causal: bool = False
    start: jax.Array | int | None = None
    prefix_BS: jax.Array | None = None

    def rows(self, first: jax.Array | int, count: int, among: int = 1) -> jax.Array:
        """Returns bool [B, 1, among * count, S]: the mask of `count` queries from query `first` on, see `portion`."""
        mask = same_segment(portion(self.queries_BL, first, count, 1, among), self.keys_BS)
        if not self.causal:
            return mask
        places_Q = portion(jnp.arange(self.queries_BL.shape[1]), first, count, 0, among)
        before = causal(places_Q + (0 if self.start is None else self.start), self.keys_BS.shape[1])
        return mask & (before if self.prefix_BS is None else with_prefix(before, self.prefix_BS))
