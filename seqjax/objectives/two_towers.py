# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Semantic matching by two towers: one encoder turns each text of a pair into a vector, and vectors are compared.

A row holds both texts as two documents, [begin] first [end], [begin] second [end], so that one call encodes them apart.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.heads import EmbeddingHead
from seqjax.models.model import ModelConfig
from seqjax.objectives.losses import correct, cross_entropy, sums
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.objectives.pooling import POOLS, check_pool
from seqjax.objectives.regression import Regression
from seqjax.types import Apply, Batch, Params

NEVER = -1e9  # the score of what is no candidate


def apart(row: Row, vocabulary: Vocabulary) -> Row:
    """Returns tokens, segments (1 and 2) and positions of the two texts of a pair's row, in a row that is 1 longer."""
    real = row["segments"] > 0
    first, second = (row["tokens"][real & (row["token_types"] == kind)] for kind in (0, 1))
    out = {name: np.zeros(len(row["tokens"]) + 1, np.int32) for name in ("tokens", "segments", "positions")}
    out["tokens"][:] = max(vocabulary.pad, 0)
    middle, end = len(first), len(first) + 1 + len(second)
    out["tokens"][:end] = [*first, vocabulary.bos, *second]
    out["segments"][:end] = np.repeat([1, 2], [middle, end - middle])
    out["positions"][:end] = [*range(middle), *range(end - middle)]
    return out


@dataclasses.dataclass(frozen=True)
class InBatchNegatives(Objective):
    """Settings of retrieval: among the second texts of a group, which is that of the first? A softmax over them.

    Henderson et al. 2017, section 4.4; Karpukhin et al. 2020, equation 2; in cosines as Gao et al. 2021, equation 1.

    Its loss is no sum over pairs that know nothing of each other: the wrong answers for one are the right ones of the
    others. So pairs come in groups of `group`, an axis of the batch of its own, [B, G, L], and only within its group
    does a pair find wrong answers. A group is never divided, so micro-batches, devices and the size of an evaluation's
    batch change nothing; a larger `group` is another, harder task. Groups are drawn anew in each epoch.
    """

    reads: ClassVar[str] = "pair"
    framing: ClassVar[str] = "wrapped"
    layouts: ClassVar[tuple[str, ...]] = ("pad", "bucket")
    terms: ClassVar[tuple[str, ...]] = ("retrieval",)

    group: int = 16  # pairs among which the right one is to be found; it divides data.batch
    pool: str = "mean"  # of the real tokens, or the "first" or "last" token
    similarity: str = "cosine"  # or "dot"
    scale: float = 20.0  # of the scores: the inverse of a temperature

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"pool": POOLS, "similarity": ("cosine", "dot")})
        require(self, "objective", ("group",), 2)
        if not self.scale > 0.0:
            raise UserError(f"objective.scale={self.scale} must be above 0")

    def head(self, model: ModelConfig) -> EmbeddingHead:
        """No parameters: the pooled states of both texts."""
        check_pool(self.pool, model)
        return EmbeddingHead(2, self.pool)

    def row_length(self, length: int) -> int:
        """A token less than is read: the second text gets a begin token of its own."""
        return length - 1

    def predictions(self, length: int) -> int:
        """The vocabulary head does not run."""
        return 0

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns tokens, segments, positions [L] of both texts, and label_weight 1."""
        del rng
        return apart(row, vocabulary) | {"label_weight": np.ones((), np.float32)}

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of pairs."""
        return {"retrieval": jnp.sum(batch["label_weight"])}

    def vectors(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> jax.Array:
        """Returns float32 [B, G, 2, D], of length 1 for cosines."""
        groups, size = batch["label_weight"].shape
        flat = {name: jnp.reshape(x, (groups * size, *x.shape[2:])) for name, x in batch.items()}
        vectors_B2D = call(apply, params, flat, key)
        if self.similarity == "cosine":
            vectors_B2D = unit(vectors_B2D)
        return vectors_B2D.reshape(groups, size, *vectors_B2D.shape[1:])

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats, and how many pairs score highest in their group."""
        vectors_BG2D = self.vectors(apply, params, batch, key)
        scores_BGH = self.scale * jnp.einsum("BGD,BHD->BGH", vectors_BG2D[:, :, 0], vectors_BG2D[:, :, 1])
        weights_BG = jnp.asarray(batch["label_weight"])
        scores_BGH = jnp.where(weights_BG[:, None, :] > 0, scores_BGH, NEVER)
        right_BG = jnp.broadcast_to(jnp.arange(self.group), weights_BG.shape)
        return sums("retrieval", weights_BG, cross_entropy(scores_BGH, right_BG), correct(scores_BGH, right_BG))


@dataclasses.dataclass(frozen=True)
class CosineRegression(Regression):
    """Settings of similarity as the cosine of two vectors, by squared error (Reimers & Gurevych 2019, section 3).

    A label is a number from 0 to `greatest`; `greatest` times the cosine is predicted, so errors are on the scale of
    the data, and the loss is `greatest`^2 times theirs.
    """

    layouts: ClassVar[tuple[str, ...]] = ("pad", "bucket")

    pool: str = "mean"
    pooler: bool = False  # there is no layer above the pooled states
    dropout: float = 0.0
    greatest: float = 5.0

    def __post_init__(self) -> None:
        if not self.greatest > 0.0:
            raise UserError(f"objective.greatest={self.greatest} must be above 0")
        if self.dropout or self.pooler:
            raise UserError("objective.dropout and objective.pooler are not for cosines, which have no layer above")
        super().__post_init__()

    def head(self, model: ModelConfig) -> EmbeddingHead:
        """No parameters: the pooled states of both texts."""
        check_pool(self.pool, model)
        return EmbeddingHead(2, self.pool)

    def row_length(self, length: int) -> int:
        """A token less than is read: the second text gets a begin token of its own."""
        return length - 1

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns tokens, segments, positions [L] of both texts, the number, and label_weight 1."""
        if "token_types" not in row:
            raise UserError("cosines compare two texts, and these records have one; set data.source.pair")
        return apart(row, vocabulary) | {"number": row["number"], "label_weight": np.ones((), np.float32)}

    def numbers(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> jax.Array:
        """Returns `greatest` times the cosine of each pair, float32 [B]."""
        vectors_B2D = unit(call(apply, params, batch, key))
        return self.greatest * jnp.sum(vectors_B2D[:, 0] * vectors_B2D[:, 1], axis=-1)


def unit(x: jax.Array) -> jax.Array:
    """Returns vectors [..., D] at length 1; those of padding, which are 0, stay 0 and have no gradient."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x**2, axis=-1, keepdims=True), 1e-12))
