# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A number for each text or pair of texts: how alike two sentences are, how many stars a review gives."""

import dataclasses
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.models.heads import ClassificationHead
from seqjax.models.model import ModelConfig
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.objectives.pooling import POOLS, check_pool
from seqjax.types import Apply, Batch, Params


@dataclasses.dataclass(frozen=True)
class Regression(Objective):
    """Settings of regression by squared error, as BERT is fine-tuned on STS-B (Devlin et al. 2019, code).

    The label of a record is the number, on any scale.
    """

    reads: ClassVar[str] = "number"
    framing: ClassVar[str] = "wrapped"
    layouts: ClassVar[tuple[str, ...]] = ("pack", "pad", "bucket")  # a row is of one record
    terms: ClassVar[tuple[str, ...]] = ("regression",)

    pool: str = "first"  # "first" or "last" token, or "mean" of the real ones
    pooler: bool = True  # a dense layer below the output; without one and with a frozen trunk it is a linear probe
    dropout: float = 0.1

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"pool": POOLS})
        require(self, "objective", ("dropout",), 0, 1)

    def head(self, model: ModelConfig) -> nn.Module:
        """A classifier's, with one output."""
        check_pool(self.pool, model)
        return ClassificationHead(1, self.pool, self.dropout, pooler=self.pooler)

    def predictions(self, length: int) -> int:
        """The vocabulary head does not run."""
        return 0

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns the row as it is, with label_weight 1."""
        del rng, vocabulary
        return row | {"label_weight": np.ones((), np.float32)}

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of rows."""
        return {"regression": jnp.sum(batch["label_weight"])}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed squared error, and the summed absolute error."""
        error_B = self.numbers(apply, params, batch, key) - jnp.asarray(batch["number"])
        weight_B = jnp.asarray(batch["label_weight"])
        weight = jnp.sum(weight_B)
        absolute = jnp.sum(weight_B * jnp.abs(error_B))
        return {"regression": (jnp.sum(weight_B * error_B**2), weight)}, {"absolute_error": (absolute, weight)}

    def numbers(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> jax.Array:
        """Returns the number that is predicted of each row, float32 [B]; dropout is on if there is a key."""
        return call(apply, params, batch, key)[:, 0]

    def predict(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the number of each row, float32 [B]."""
        return self.numbers(apply, params, batch, None)
