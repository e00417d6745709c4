# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Supervised objectives for fine-tuning: a class for each row, a tag for each word."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.models.heads import ClassificationHead, TaggingHead
from seqjax.models.model import ModelConfig
from seqjax.objectives.losses import correct, cross_entropy, sums
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.types import Apply, Batch, Params


@dataclasses.dataclass(frozen=True)
class Classification(Objective):
    """A class for each text or pair of texts (Devlin et al. 2019, section 4.1)."""

    reads: ClassVar[str] = "label"
    framing: ClassVar[str] = "wrapped"
    terms: ClassVar[tuple[str, ...]] = ("classification",)

    labels: tuple[str, ...] = ()  # empty: those of the training data
    pool: str = "first"  # "first" token or "mean" of the real tokens
    dropout: float = 0.1
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"pool": ("first", "mean")})
        require(self, "objective", ("dropout", "label_smoothing"), 0, 1)

    def head(self, model: ModelConfig) -> ClassificationHead:
        """A pooled state and two layers."""
        return ClassificationHead(len(self.labels), self.pool, self.dropout)

    def predictions(self, length: int) -> int:
        """The vocabulary head does not run."""
        return 0

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns the row as it is, with label_weight 1."""
        del rng, vocabulary
        return row | {"label_weight": np.ones((), np.float32)}

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of rows."""
        return {"classification": jnp.sum(batch["label_weight"])}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats, and how many rows are right."""
        logits_BK = call(apply, params, batch, key)
        loss_B = cross_entropy(logits_BK, batch["label"], self.label_smoothing if key is not None else 0.0)
        return sums("classification", batch["label_weight"], loss_B, correct(logits_BK, batch["label"]))

    def predict(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the likeliest class of each row, int [B]."""
        return jnp.argmax(call(apply, params, batch, None), axis=-1)


@dataclasses.dataclass(frozen=True)
class Tagging(Objective):
    """A tag for each word, read at its first piece (Devlin et al. 2019, section 5.3)."""

    reads: ClassVar[str] = "tags"
    framing: ClassVar[str] = "wrapped"
    terms: ClassVar[tuple[str, ...]] = ("tagging",)

    labels: tuple[str, ...] = ()  # empty: those of the training data
    dropout: float = 0.1

    def __post_init__(self) -> None:
        require(self, "objective", ("dropout",), 0, 1)

    def head(self, model: ModelConfig) -> TaggingHead:
        """One layer on each token."""
        return TaggingHead(len(self.labels), self.dropout)

    def predictions(self, length: int) -> int:
        """The vocabulary head does not run."""
        return 0

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns the row with tag_weights: 1 on each word's first piece, 0 where the row has tag -1."""
        del rng, vocabulary
        counts = row["tags"] >= 0
        return row | {"tags": np.where(counts, row["tags"], 0), "tag_weights": counts.astype(np.float32)}

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of words."""
        return {"tagging": jnp.sum(batch["tag_weights"])}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats over words, and how many words are right."""
        logits_BLK = call(apply, params, batch, key)
        loss_BL = cross_entropy(logits_BLK, batch["tags"])
        return sums("tagging", batch["tag_weights"], loss_BL, correct(logits_BLK, batch["tags"]))

    def predict(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the likeliest tag of each token, int [B, L]."""
        return jnp.argmax(call(apply, params, batch, None), axis=-1)
