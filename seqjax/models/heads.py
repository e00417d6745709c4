# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What stands on a trunk: a vocabulary, a class for a row or for each token, a span. Logits are float32."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.models.constrain import constrain, divided
from seqjax.models.crf import Transitions, legal
from seqjax.models.layers import ACTIVATIONS, Linear, contract


class Scored(NamedTuple):
    """What becomes of logits that nobody needs as such.

    A model is called with `options()`, and `read` takes what it returned. Only with a chunk does the model know.
    """

    score: Callable[[jax.Array, Any], Any]  # (logits [..., V], targets [...]) -> arrays [...]
    targets: Any  # ids [B, L], or [B, P] where places are gathered
    chunk: int = 0  # places of a batch whose logits exist at a time; 0: all

    def options(self) -> dict[str, Any]:
        """Returns the keyword arguments of the model's call."""
        return {"scored": self} if self.chunk else {}

    def read(self, out: Any) -> Any:
        """Returns the scores, given what the model's head returned."""
        return out if self.chunk else self.score(out, self.targets)


class VocabularyHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, L, V]; with `transform` as in BERT (dense, activation, layer norm).

    The transform ends at the width of the token embedding, which ELECTRA makes narrower than D.
    """

    vocab_size: int
    tied: bool = True
    scale: bool = False  # states times 1 / sqrt(D) first (T5 v1.0)
    transform: bool = False
    use_bias: bool = False
    activation: str = "gelu"
    norm_epsilon: float = 1e-12
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        segments_BL: jax.Array,
        table_VD: jax.Array,
        train: bool,
        gather_BP: jax.Array | None = None,
        scored: Scored | None = None,
    ) -> Any:
        """Returns logits, of the places in `gather_BP` only if it is given; or what `scored` makes of them."""
        if gather_BP is not None:
            x = jnp.take_along_axis(x, gather_BP[:, :, None], axis=1)
        if self.scale:
            x = x / math.sqrt(x.shape[-1])
        width = table_VD.shape[-1] if self.transform else x.shape[-1]
        if self.transform:
            x = Linear(width, dtype=self.dtype, kernel_init=self.kernel_init, name="transform")(x)
            x = nn.LayerNorm(epsilon=self.norm_epsilon, dtype=self.dtype, name="norm")(ACTIVATIONS[self.activation](x))
        if not self.tied:
            table_VD = self.param("table", self.kernel_init, (self.vocab_size, width), jnp.float32)
        table_VD = constrain(table_VD, "V")
        bias_V = self.param("bias", nn.initializers.zeros, (self.vocab_size,), jnp.float32) if self.use_bias else None

        def logits(x: jax.Array, letters: str) -> jax.Array:
            y = constrain(contract(f"{letters}D,VD->{letters}V", x, table_VD, self.dtype), f"{letters}V")
            return y if bias_V is None else y + jnp.expand_dims(bias_V, range(y.ndim - 1))

        x = x.astype(self.dtype)
        if scored is None and divided("L"):
            return logits(x, "BL" if gather_BP is None else "BP")
        if scored is None:
            return logits(x.reshape(-1, width), "B").reshape(*x.shape[:-1], self.vocab_size)
        return _in_chunks(lambda x_ND, targets_N: scored.score(logits(x_ND, "B"), targets_N), scored, x)


def _in_chunks(score: Callable[[jax.Array, jax.Array], Any], scored: Scored, x_BLD: jax.Array) -> Any:
    """Returns score(x, targets), [B, L], about `chunk` places at a time, each computed anew for its gradient.

    A chunk has places of all rows, so that devices which divide the rows divide each chunk.
    """
    targets_BL, (rows, length) = jnp.asarray(scored.targets), x_BLD.shape[:2]
    size = min(length, max(1, scored.chunk // rows))
    many = -(-length // size)

    def chunks(x: jax.Array) -> jax.Array:
        padded = jnp.pad(x, [(0, 0), (0, many * size - length)] + [(0, 0)] * (x.ndim - 2))
        return padded.reshape(rows, many, size, *x.shape[2:]).swapaxes(0, 1)

    def score_chunk(pair: tuple[jax.Array, jax.Array]) -> Any:
        x_BCD, targets_BC = pair
        out = score(x_BCD.reshape(-1, x_BCD.shape[-1]), targets_BC.reshape(-1))
        return jax.tree.map(lambda y: y.reshape(rows, size), out)

    if many == 1:
        return score_chunk((x_BLD, targets_BL))
    out = jax.lax.map(jax.checkpoint(score_chunk), (chunks(x_BLD), chunks(targets_BL)))
    return jax.tree.map(lambda y_CBS: y_CBS.swapaxes(0, 1).reshape(rows, -1)[:, :length], out)


def pooled(x_BLD: jax.Array, segments_BL: jax.Array, pool: str) -> jax.Array:
    """Returns float32 [B, D]: the state of the "first" token or the "last" real one, or the "mean" over real ones."""
    x_BLD = x_BLD.astype(jnp.float32)
    if pool == "first":
        return x_BLD[:, 0]
    if pool == "last":
        last_B = jnp.max(jnp.where(segments_BL > 0, jnp.arange(segments_BL.shape[1])[None], 0), axis=1)
        return jnp.take_along_axis(x_BLD, last_B[:, None, None], axis=1)[:, 0]
    real_BL1 = (segments_BL > 0)[:, :, None].astype(jnp.float32)
    return jnp.sum(x_BLD * real_BL1, axis=1) / jnp.maximum(jnp.sum(real_BL1, axis=1), 1.0)


def pooled_segments(x_BLD: jax.Array, segments_BL: jax.Array, count: int, pool: str) -> jax.Array:
    """Returns float32 [B, count, D]: what `pooled` gives of each of the documents 1 ... count of a row; 0 if absent."""
    member_BCL = segments_BL[:, None, :] == jnp.arange(1, count + 1)[None, :, None]
    if pool == "first":
        member_BCL &= jnp.cumsum(member_BCL, axis=-1) == 1
    if pool == "last":
        member_BCL &= jnp.cumsum(member_BCL[..., ::-1], axis=-1)[..., ::-1] == 1
    weight_BCL = member_BCL.astype(jnp.float32)
    weight_BCL /= jnp.maximum(jnp.sum(weight_BCL, axis=-1, keepdims=True), 1.0)
    return jnp.einsum("BCL,BLD->BCD", weight_BCL, x_BLD.astype(jnp.float32))


class ClassificationHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, K]: a pooled state, dense, tanh, dropout, dense (Devlin et al. 2019, 4.1).

    `pool` is "first" (the state of the first token, as BERT), "last" (of the last real one, as GPT: Radford et al.
    2018, section 3.2) or "mean" (over the real tokens). Without `pooler` the first dense layer and its tanh are left
    out.
    """

    labels: int
    pool: str = "first"
    dropout: float = 0.1
    pooler: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        return _scores(self, pooled(x_BLD, segments_BL, self.pool), self.labels, train)


class EntityPairHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, K] of how two entities relate (R-BERT: Wu and He 2019, section 3.2).

    The state of the first token, and the means of the states of each entity's tokens, each through tanh, dropout and a
    dense layer D -> D, of which both entities share one (equations 1 to 3); side by side [B, 3 D], dropout, dense
    (equation 4). The marks around an entity are not among its tokens. Without `pooler` the inner layers and their tanh
    are left out.
    """

    labels: int
    dropout: float = 0.1
    pooler: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        segments_BL: jax.Array,
        table_VD: jax.Array,
        train: bool,
        entities_BL: jax.Array | None = None,
    ) -> jax.Array:
        """Returns logits; entities_BL is 1 and 2 on the tokens of the entities, and 0 elsewhere."""
        if entities_BL is None:
            if not self.is_initializing():  # only the shapes count then
                raise ValueError("a head for pairs of entities must be told where they are, entities_BL")
            entities_BL = jnp.zeros_like(segments_BL)
        first_B1D = pooled(x_BLD, segments_BL, "first")[:, None]
        pair_B2D = pooled_segments(x_BLD, entities_BL, 2, "mean")
        drop = nn.Dropout(self.dropout, deterministic=not train)
        if self.pooler:
            first, pair = (
                Linear(x_BLD.shape[-1], kernel_init=self.kernel_init, name=name)
                for name in ("first_pooler", "entity_pooler")
            )
            first_B1D, pair_B2D = first(drop(jnp.tanh(first_B1D))), pair(drop(jnp.tanh(pair_B2D)))
        x_BF = jnp.concatenate([first_B1D, pair_B2D], axis=1).reshape(x_BLD.shape[0], -1)
        return Linear(self.labels, kernel_init=self.kernel_init, name="output")(drop(x_BF))


class ChoiceHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, K]: a score for each of the K documents of a row, all by the same layers.

    Those of `ClassificationHead` with one output (Devlin et al. 2019, section 4.4, with the pooler of their code).
    """

    choices: int
    pool: str = "first"
    dropout: float = 0.1
    pooler: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        x_BKD = pooled_segments(x_BLD, segments_BL, self.choices, self.pool)
        return _scores(self, x_BKD, 1, train)[:, :, 0]


def _scores(head: ClassificationHead | ChoiceHead, x: jax.Array, outputs: int, train: bool) -> jax.Array:
    """Returns what the layers of a head, which are made in its scope, score of pooled states [..., D]."""
    if head.pooler:
        x = jnp.tanh(Linear(x.shape[-1], kernel_init=head.kernel_init, name="pooler")(x))
    x = nn.Dropout(head.dropout, deterministic=not train)(x)
    return Linear(outputs, kernel_init=head.kernel_init, name="output")(x)


class EmbeddingHead(nn.Module):
    """Hidden states [B, L, D] -> [B, count, D]: the pooled states of each document of a row. It has no parameters."""

    count: int
    pool: str = "mean"

    def __call__(self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        return pooled_segments(x_BLD, segments_BL, self.count, self.pool)


class TaggingHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, L, K] for each token (Devlin et al. 2019, section 5.3)."""

    labels: int
    dropout: float = 0.1
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        x_BLD = nn.Dropout(self.dropout, deterministic=not train)(x_BLD.astype(jnp.float32))
        return Linear(self.labels, kernel_init=self.kernel_init, name="output")(x_BLD)


class SpanHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, L, 2] of a span's start and end (Devlin et al. 2019, section 4.2)."""

    dropout: float = 0.0
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        x_BLD = nn.Dropout(self.dropout, deterministic=not train)(x_BLD.astype(jnp.float32))
        return Linear(2, kernel_init=self.kernel_init, name="output")(x_BLD)


class CRFHead(nn.Module):
    """Hidden states [B, L, D] -> (emissions [B, L, K], transitions): a layer, and scores of tags after each other.

    Where `labels` are names of a scheme, what may not follow is forbidden: it scores FORBIDDEN, and is not learnt.
    """

    labels: tuple[str, ...]
    dropout: float = 0.1
    constrained: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(
        self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool
    ) -> tuple[jax.Array, Transitions]:
        emissions_BLK = TaggingHead(len(self.labels), self.dropout, self.kernel_init, name="emissions")(
            x_BLD, segments_BL, table_VD, train
        )
        count, zeros = len(self.labels), nn.initializers.zeros
        learnt = Transitions(
            self.param("start", zeros, (count,), jnp.float32),
            self.param("between", zeros, (count, count), jnp.float32),
            self.param("end", zeros, (count,), jnp.float32),
        )
        if not self.constrained:
            return emissions_BLK, learnt
        limited = jax.tree.map(lambda x, limit: jnp.where(limit < 0, limit, x), learnt, legal(self.labels))
        return emissions_BLK, limited


class Several(nn.Module):
    """Several heads on one trunk: returns {name: logits}. A vocabulary head's places and scores go to it alone."""

    heads: dict[str, nn.Module]

    def __call__(
        self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool, **options: Any
    ) -> dict[str, Any]:
        inputs = (x_BLD, segments_BL, table_VD, train)
        return {
            name: head(*inputs, **options) if isinstance(head, VocabularyHead | Several) else head(*inputs)
            for name, head in self.heads.items()
        }
