# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling of two texts, and which of two ways they stand together.

Next sentence prediction: Devlin et al. 2019, section 3.1, task 2. Sentence order: Lan et al. 2020, section 3.1.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.models.heads import ClassificationHead, Several
from seqjax.models.model import ModelConfig, vocabulary_head
from seqjax.objectives.losses import correct, cross_entropy, sums
from seqjax.objectives.mlm import MLM
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.types import Apply, Batch, Params


@dataclasses.dataclass(frozen=True)
class PairedMLM(Objective):
    """Settings of MLM with a second term on pairs; the defaults are BERT's. Needs data.layout=pad."""

    framing: ClassVar[str] = "wrapped"
    partners: ClassVar[bool] = True
    layouts: ClassVar[tuple[str, ...]] = ("pad", "bucket")
    terms: ClassVar[tuple[str, ...]] = ("mlm", "pair")

    mlm: MLM = MLM()
    relation: str = "next"  # "next": the second text follows the first or is random; "order": it follows or precedes
    short: float = 0.1  # of the pairs are cut to a random length (Devlin et al. 2019, published code)
    dropout: float = 0.1  # of the pair's head

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"relation": ("next", "order")})
        require(self, "objective", ("short", "dropout"), 0, 1)

    def head(self, model: ModelConfig) -> Several:
        """The vocabulary, and one of two classes at the first token."""
        return Several({"mlm": vocabulary_head(model), "pair": ClassificationHead(2, "first", self.dropout)})

    def check(self, vocabulary: Vocabulary, length: int) -> None:
        """As for masked language modelling."""
        self.mlm.check(vocabulary, length)

    def row_length(self, length: int) -> int:
        """One place is left for the token between the texts."""
        return length - 1

    def predictions(self, length: int) -> int:
        """Those of masked language modelling."""
        return self.mlm.predictions(length)

    def corruption_epoch(self, epoch: int) -> int:
        """That of masked language modelling."""
        return self.mlm.corruption_epoch(epoch)

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns [begin] a [end] b [end], masked, with token_types, and label 0 where b follows a, else 1.

        The row's text is cut in two where a sentence ends, or failing that a word. Half of the pairs are wrong, with a
        random text as long as what it displaces, if there is as much: a length must not tell. Departs from the
        published code: that text is of one row, and what it displaces waits for the next epoch.
        """
        body = row["tokens"][row["segments"] > 0][1:-1]
        room = len(row["tokens"]) - 2
        if room > 2 and rng.random() < self.short:
            room = int(rng.integers(2, room + 1))
            body = body[:room]
        places = _borders(body, vocabulary)
        cut = int(rng.choice(places)) if len(places) else len(body)
        first, second, wrong = body[:cut], body[cut:], rng.random() < 0.5
        if wrong and self.relation == "order":
            first, second = second, first
        elif wrong:
            other, need = row["partner"][1:-1], len(second)
            starts = np.append(_borders(other, vocabulary), 0)
            starts = starts[(starts == 0) | (starts + need <= len(other))]
            start = int(rng.choice(starts))
            second = other[start : start + need]
        bos, eos = vocabulary.bos, vocabulary.eos
        text = np.concatenate([[bos], first, [eos], second, [eos]])
        width = len(row["tokens"]) + 1
        real = np.arange(width) < len(text)
        pair: Row = {
            "tokens": np.full(width, max(vocabulary.pad, 0), np.int32),
            "segments": real.astype(np.int32),
            "positions": np.where(real, np.arange(width), 0).astype(np.int32),
        }
        pair["tokens"][: len(text)] = text
        return self.mlm.corrupt(pair, rng, vocabulary) | {
            "token_types": (real & (np.arange(width) >= len(first) + 2)).astype(np.int32),
            "label": np.asarray(wrong, np.int32),
            "label_weight": np.asarray(len(places) > 0, np.float32),
        }

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of predictions, and of pairs."""
        return self.mlm.weights(batch) | {"pair": jnp.sum(batch["label_weight"])}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns both summed cross entropies in nats, and how many predictions and pairs are right."""
        scored = self.mlm.scored(batch, key)
        out = call(apply, params, batch, key, gather_BP=batch["mlm_positions"], **scored.options())
        terms, metrics = sums("mlm", batch["mlm_weights"], *scored.read(out["mlm"]))
        loss_B, hit_B = cross_entropy(out["pair"], batch["label"]), correct(out["pair"], batch["label"])
        pair, hits = sums("pair", batch["label_weight"], loss_B, hit_B)
        return terms | pair, metrics | {"pair_accuracy": hits["accuracy"]}


def _borders(body: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Returns the places 0 < i < len(body) before which a sentence ends; failing that, at which a word begins."""
    inside = np.arange(1, len(body))
    for good in (vocabulary.sentence_ends[body[inside - 1]], vocabulary.word_starts[body[inside]]):
        if good.any():
            return inside[good]
    return inside
