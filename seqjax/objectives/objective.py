# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What an objective is: a numpy half that makes an example of a row, and a jax half that scores a batch."""

from typing import Any, ClassVar, Protocol

import flax.linen as nn
import jax
import numpy as np

from seqjax.models.model import ModelConfig
from seqjax.types import Apply, Batch, Params

Pairs = dict[str, tuple[jax.Array, jax.Array]]  # name -> (sum, weight)
Row = dict[str, np.ndarray]  # tokens, segments, positions, each [W]; label, tags, token_types where the data has them


class Vocabulary(Protocol):
    """What corruption may know of a tokenizer: its size and its special ids."""

    size: int
    pad: int
    bos: int
    eos: int
    mask: int
    word_starts: np.ndarray


class Objective(Protocol):
    """A frozen dataclass of settings with these members; see `objectives/clm.py` for the shortest.

    Attributes:
      reads: what the data must hold: "text", "label" or "tags".
      framing: how a document becomes a sequence: "continuous" (begin, tokens, end, cut into windows that overlap by one
        token) or "wrapped" (cut into pieces, each between begin and end).
      lookahead: how many more tokens a row holds than the model reads (1 where the target is the next token).
      terms: names of the loss terms.
    """

    reads: ClassVar[str]
    framing: ClassVar[str]
    lookahead: ClassVar[int]
    terms: ClassVar[tuple[str, ...]]

    def head(self, model: ModelConfig) -> nn.Module | None:
        """Returns the head to train, None for the vocabulary head of the model's settings."""

    def predictions(self, length: int) -> int:
        """Returns at how many places of a row of `length` tokens the head runs."""

    def corruption_epoch(self, epoch: int) -> int:
        """Returns the epoch whose random numbers `epoch` uses (0 always: the same corruption in each epoch)."""

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns one example (batch keys without the B axis), random only through `rng`."""

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns each loss term's denominator, the sum of its weights in this batch; it depends on data only."""

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns (terms, metrics), each name -> (sum, weight); with a key dropout is on."""


def model_inputs(batch: Batch) -> dict[str, Any]:
    """Returns the keyword arguments by which a model reads this batch."""
    keys = {"positions": "positions_BL", "segments": "segments_BL", "token_types": "token_types_BL"}
    return {argument: batch[key] for key, argument in keys.items() if key in batch}


def call(apply: Apply, params: Params, batch: Batch, key: jax.Array | None, **options: Any) -> jax.Array:
    """Returns the logits of a batch; dropout is on if there is a key."""
    rngs = None if key is None else {"dropout": key}
    inputs = model_inputs(batch) | options
    logits, _ = apply({"params": params}, batch["tokens"], **inputs, train=key is not None, rngs=rngs)
    return logits
