# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What an objective is: a numpy half that makes an example of a row, and a jax half that scores a batch."""

import abc
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

import flax.linen as nn
import jax
import numpy as np

from seqjax.models.model import Model, ModelConfig, build, training_flops
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
    sentence_ends: np.ndarray
    sentinels: np.ndarray

    @property
    def source(self) -> "Vocabulary": ...


class Objective(abc.ABC):
    """Base of the frozen dataclasses of settings that say what is learnt; see `objectives/clm.py` for the shortest.

    Attributes:
      reads: what the data must hold: "text", "pair", "label", "tags", ...; see `seqjax.data.corpus.tokenise`.
      framing: how a document becomes a sequence: "continuous" (begin, tokens, end, cut into windows that overlap by one
        token), "wrapped" (cut into pieces, each between begin and end), "ended" (the same where nobody reads the begin
        token, which the tokenizer need not have: T5's has none) or "bare" (no special tokens).
      lookahead: how many more tokens a row holds than the model reads (1 where the target is the next token).
      one_way: whether a model that reads both ways would see what it is to say.
      prefixes: whether its batches hold a prefix, which only the Transformer's decoder-only model reads.
      sources: whether its batches hold a source for an encoder-decoder.
      layouts: of the data that it can read, see `seqjax.data.rows.lay_out`.
      group: how many rows are scored together. Where it is more than 1, arrays have an axis G after B, [B, G, ...]: a
        group is a row of the batch, never divided among devices and micro-batches.
      partners: whether `corrupt` needs the row of another document, `row["partner"]` (its real tokens).
      question_length: most tokens of a pair's first text where the second is read in windows beside it.
      terms: names of the loss terms.
    """

    reads: ClassVar[str] = "text"
    framing: ClassVar[str]
    lookahead: ClassVar[int] = 0
    one_way: ClassVar[bool] = False
    prefixes: ClassVar[bool] = False
    sources: ClassVar[bool] = False
    partners: ClassVar[bool] = False
    group = 1
    question_length = 0
    layouts: ClassVar[tuple[str, ...]] = ("pack", "stream", "pad", "bucket")
    terms: ClassVar[tuple[str, ...]]

    @property
    def scheduled(self) -> bool:
        """Whether the loss changes as training goes on, so that its batches say how many `updates` came before."""
        return False

    def term_weights(self) -> dict[str, float]:
        """Returns the factor of each term in the loss."""
        return dict.fromkeys(self.terms, 1.0)

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        """Returns the same with the labels of the data, where it has the attribute `labels`."""
        return dataclasses.replace(self, labels=labels)  # type: ignore[type-var]

    def head(self, model: ModelConfig) -> nn.Module | None:
        """Returns the head to train, None for the vocabulary head of the model's settings."""
        return None

    def build(self, model: ModelConfig) -> Model:
        """Returns the model that is trained."""
        return build(model, self.head(model))

    def reusable(self, params: Params) -> Params:
        """Returns the part of the trained parameters that a later run starts from, as {"trunk", "head"}."""
        return params

    def adopted(self, reusable: Params) -> Params:
        """Returns what a run's `reusable` gave, in the layout in which this objective's model keeps it."""
        return reusable

    def check(self, vocabulary: Vocabulary, length: int) -> None:
        """Raises UserError where a row of some kind could not be corrupted."""
        return

    def check_tags(self, tags: np.ndarray, offsets: np.ndarray, split: str) -> None:
        """Raises UserError where the tags of a split's corpus could not be learnt."""
        return

    def extra_ids(self, vocabulary: Vocabulary) -> int:
        """Returns how many ids it needs beyond the tokenizer's."""
        return 0

    def row_length(self, length: int) -> int:
        """Returns how many tokens of text a row holds where the model is to read `length`, before `lookahead`."""
        return length

    def places_needed(self, first: np.ndarray, second: np.ndarray, longest: int) -> np.ndarray | None:
        """Returns the places of a row that pairs of so many tokens take, int [N]; None: as many as they have."""
        return None

    @property
    def late(self) -> bool:
        """Whether the first text of a pair keeps its end where it is cut to its part of the row, not its start."""
        return False

    @property
    def parts(self) -> Callable[[int], tuple[int, int]] | None:
        """Function from the width of a row to the most tokens of a pair's two texts; None: they share the room."""
        return None

    def predictions(self, length: int) -> int:
        """Returns at how many places of a row of `length` tokens the vocabulary head runs."""
        return length

    def flops(self, model: ModelConfig, rows: int, length: int) -> float:
        """Returns the model FLOPs of one update of `rows` rows of `length` tokens; see `training_flops`."""
        return training_flops(model, rows, length, self.predictions(length))

    def read(self, batch: Mapping[str, Any]) -> tuple[int, int]:
        """Returns (rows, length) of what the model reads of a batch, of a source where there is one."""
        *rows, length = batch["source" if self.sources else "tokens"].shape
        return math.prod(rows), length

    def corruption_epoch(self, epoch: int) -> int:
        """Returns the epoch whose random numbers `epoch` uses (0 always: the same corruption in each epoch)."""
        return epoch

    @abc.abstractmethod
    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns one example (batch keys without the B axis), random only through `rng`."""

    @abc.abstractmethod
    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns each loss term's denominator, the sum of its weights in this batch; it depends on data only."""

    @abc.abstractmethod
    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns (terms, metrics), each name -> (sum, weight); with a key dropout is on."""


def model_inputs(batch: Batch) -> dict[str, Any]:
    """Returns the keyword arguments by which a model reads this batch."""
    keys = {
        "positions": "positions_BL",
        "segments": "segments_BL",
        "token_types": "token_types_BL",
        "carry": "carry",
        "prefix": "prefix_BL",
        "source": "source_BS",
        "source_positions": "source_positions_BS",
        "source_segments": "source_segments_BS",
        "entities": "entities_BL",
    }
    return {argument: batch[key] for key, argument in keys.items() if key in batch}


def call(apply: Apply, params: Params, batch: Batch, key: jax.Array | None, **options: Any) -> Any:
    """Returns what the model's head gives for a batch; dropout is on if there is a key."""
    rngs = None if key is None else {"dropout": key}
    inputs = model_inputs(batch) | options
    logits, _ = apply({"params": params}, batch["tokens"], **inputs, train=key is not None, rngs=rngs)
    return logits
