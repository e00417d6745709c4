# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Supervised objectives for fine-tuning: a class for each row, a tag for each word."""

import dataclasses
import sys
from typing import ClassVar, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models import crf
from seqjax.models.crf import Transitions
from seqjax.models.heads import ClassificationHead, CRFHead, EntityPairHead, TaggingHead
from seqjax.models.model import ModelConfig
from seqjax.objectives.losses import correct, cross_entropy, sums
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.objectives.pooling import POOLS, check_pool
from seqjax.tags import closing, in_scheme, may_follow, parts
from seqjax.types import Apply, Array, Batch, Params


@dataclasses.dataclass(frozen=True)
class Classification(Objective):
    """A class for each text or pair of texts (Devlin et al. 2019, section 4.1), or for two entities in a text.

    With pool="entities" the class is how two entities relate that are marked in a text (Wu and He 2019), between <e1>
    and </e1>, <e2> and </e2>; see `seqjax.data.marked`. Of a text that is too long the part around both is read.
    """

    framing: ClassVar[str] = "wrapped"
    layouts: ClassVar[tuple[str, ...]] = ("pack", "pad", "bucket")  # a row is of one record
    terms: ClassVar[tuple[str, ...]] = ("classification",)
    pools: ClassVar[tuple[str, ...]] = (*POOLS, "entities")

    labels: tuple[str, ...] = ()  # empty: those of the training data
    pool: str = "first"  # "first" or "last" token, "mean" of the real ones, or "entities": the first and means of both
    pooler: bool = True  # a dense layer below the output; without one and with a frozen trunk it is a linear probe
    dropout: float = 0.1
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()  # of the loss, one for each label in order; empty: all 1

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"pool": self.pools})
        require(self, "objective", ("dropout", "label_smoothing"), 0, 1)
        _check_weights(self.class_weights, self.labels)

    @property
    def reads(self) -> str:  # type: ignore[override]
        """A text, perhaps a pair, and a class; or a text with two marked entities and a class."""
        return "relation" if self.pool == "entities" else "label"

    def head(self, model: ModelConfig) -> nn.Module:
        """A pooled state and two layers, or one."""
        check_pool(self.pool, model)
        if self.pool == "entities":
            return EntityPairHead(len(self.labels), self.dropout, self.pooler)
        return ClassificationHead(len(self.labels), self.pool, self.dropout, pooler=self.pooler)

    def predictions(self, length: int) -> int:
        """The vocabulary head does not run."""
        return 0

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns the row as it is, with label_weight 1."""
        del rng, vocabulary
        return row | {"label_weight": np.ones((), np.float32)}

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of rows, or the sum of the weights of their classes."""
        return {self.terms[0]: jnp.sum(self._loss_weights(batch))}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats, and how many rows are right."""
        logits_BK = call(apply, params, batch, key)
        loss_B = cross_entropy(logits_BK, batch["label"], self.label_smoothing if key is not None else 0.0)
        hit_B, weights_B = correct(logits_BK, batch["label"]), self._loss_weights(batch)
        return sums(self.terms[0], batch["label_weight"], loss_B, hit_B, weights_B)

    def _loss_weights(self, batch: Batch) -> jax.Array:
        return _by_class(batch["label_weight"], batch["label"], self.class_weights)

    def chances(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the probability of each class, [B, K]."""
        return jax.nn.softmax(call(apply, params, batch, None), axis=-1)

    def predict(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the likeliest class of each row, int [B]."""
        return jnp.argmax(call(apply, params, batch, None), axis=-1)


def _by_class(weights: Array, classes: Array, class_weights: tuple[float, ...]) -> jax.Array:
    """Returns weights [...] times those of their classes, int [...]."""
    if not class_weights:
        return jnp.asarray(weights)
    return jnp.asarray(weights) * jnp.asarray(class_weights, jnp.float32)[classes]


def _check_weights(class_weights: tuple[float, ...], labels: tuple[str, ...]) -> None:
    if strange := next((weight for weight in class_weights if not weight >= 0.0), None):
        raise UserError(f"objective.class_weights: {strange} must be at least 0")
    if class_weights and labels and len(class_weights) != len(labels):
        raise UserError(
            f"objective.class_weights are {len(class_weights)}, one for each of {len(labels)} labels is needed: "
            f"{', '.join(labels)}"
        )


@dataclasses.dataclass(frozen=True)
class Tagging(Objective):
    """A tag for each word, read at its first piece (Devlin et al. 2019, section 5.3).

    Each for itself, or with `crf` all of a row together by a linear chain (Lample et al. 2016, section 2.2). A sentence
    that takes several rows is a chain in each; where one is cut off, any tag may stand.
    """

    reads: ClassVar[str] = "tags"
    framing: ClassVar[str] = "wrapped"
    layouts: ClassVar[tuple[str, ...]] = ("pack", "pad", "bucket")  # a row is of one record
    terms: ClassVar[tuple[str, ...]] = ("tagging",)

    labels: tuple[str, ...] = ()  # empty: those of the training data
    dropout: float = 0.1
    class_weights: tuple[float, ...] = ()  # of the loss, one for each label in order; empty: all 1
    crf: bool = False
    constrained: bool = True  # with crf: tags that may not follow each other in IOB2 or IOBES never do

    def __post_init__(self) -> None:
        require(self, "objective", ("dropout",), 0, 1)
        _check_weights(self.class_weights, self.labels)
        if self.crf and self.class_weights:
            raise UserError(
                "objective.class_weights weigh words, and a chain scores whole rows; set objective.crf=false"
            )

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        """Returns the same with the tags of the data.

        Raises:
          UserError: a constrained chain over tags of no scheme, or of IOB1, where I-X may follow anything.
        """
        if self.crf and self.constrained:
            if strange := next((tag for tag in labels if not in_scheme([tag])), None):
                raise UserError(
                    f"tag '{strange}' is not O, B-TYPE, I-TYPE, E-TYPE or S-TYPE, so nothing says what may follow it; "
                    "set objective.constrained=false"
                )
            starts = {parts(tag)[1] for tag in labels if parts(tag)[0] in ("B", "S")}
            if lost := next((tag for tag in labels if tag != "O" and parts(tag)[1] not in starts), None):
                raise UserError(
                    f"tag '{lost}' has no B- or S- beside it to begin with; set data.source.scheme=iob2, or "
                    "objective.constrained=false"
                )
        return super().with_labels(labels)

    def check_tags(self, tags: np.ndarray, offsets: np.ndarray, split: str) -> None:
        """Refuses to train a constrained chain on what it forbids, and says how much of it other splits hold.

        Args:
          tags: int [tokens]: those of all sentences, -1 where no word begins.
          offsets: int [sentences + 1]: which tokens are of which sentence.
          split: whose they are.

        Raises:
          UserError: tags of training data that may not follow each other.
        """
        words = np.flatnonzero(tags >= 0)
        if not (self.crf and self.constrained and len(words)):
            return
        sentence, here = np.searchsorted(offsets, words, side="right") - 1, tags[words]
        begins, allowed = np.diff(sentence, prepend=-1) > 0, may_follow(self.labels)
        before = np.where(begins, -1, np.roll(here, 1))  # -1, the last of `allowed`, is no tag
        wrong = np.flatnonzero(~allowed[before, here] | (np.roll(begins, -1) & ~allowed[here, -1]))
        if not len(wrong):
            return
        place, names = wrong[0], [*self.labels, "nothing"]
        follows = allowed[before[place], here[place]]
        where = "at its end" if follows else f"after {names[before[place]]}"
        found = (
            f"split '{split}': {len(np.unique(sentence[wrong]))} of {len(offsets) - 1} sentences have tags that a "
            f"constrained chain forbids, the first of them sentence {sentence[place] + 1} with '{names[here[place]]}' "
            f"{where}"
        )
        if split != "train":
            print(f"{found}; each adds {-crf.FORBIDDEN:.0f} to the loss", file=sys.stderr)
            return
        scheme = "iobes" if closing(self.labels) else "iob2"
        raise UserError(f"{found}; set data.source.scheme={scheme}, or objective.constrained=false")

    def head(self, model: ModelConfig) -> TaggingHead | CRFHead:
        """One layer on each token, and with `crf` the scores of tags after each other."""
        if self.crf:
            return CRFHead(self.labels, self.dropout, self.constrained)
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
        """The number of words, or the sum of the weights of their tags."""
        return {"tagging": jnp.sum(self._loss_weights(batch))}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats over words (with crf of rows), and how many words are right."""
        if self.crf:
            return self._chain(apply, params, batch, key)
        logits_BLK = call(apply, params, batch, key)
        loss_BL = cross_entropy(logits_BLK, batch["tags"])
        hit_BL, weights_BL = correct(logits_BLK, batch["tags"]), self._loss_weights(batch)
        return sums("tagging", batch["tag_weights"], loss_BL, hit_BL, weights_BL)

    def _loss_weights(self, batch: Batch) -> jax.Array:
        return _by_class(batch["tag_weights"], batch["tags"], self.class_weights)

    def _chain(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        weights_BL, tags_BL = jnp.asarray(batch["tag_weights"]), jnp.asarray(batch["tags"])
        real_BL = weights_BL > 0
        emissions_BLK, transitions = self._scores(apply, params, batch, key)
        loss_B = -crf.log_likelihood(emissions_BLK, transitions, tags_BL, real_BL)
        best_BL, _ = crf.viterbi(jax.lax.stop_gradient(emissions_BLK), transitions, real_BL)
        words = jnp.sum(weights_BL)
        right = jnp.sum(weights_BL * (best_BL == tags_BL))
        return {"tagging": (jnp.sum(loss_B), words)}, {"accuracy": (right, words)}

    def _scores(
        self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None
    ) -> tuple[jax.Array, Transitions]:
        emissions_BLK, transitions = call(apply, params, batch, key)
        return emissions_BLK, crf.cut_off(transitions, batch["sentence_begins"], batch["sentence_ends"])

    def chances(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the probability of each tag of each token, [B, L, K]; with crf it is 0 between words."""
        if self.crf:
            emissions_BLK, transitions = self._scores(apply, params, batch, None)
            return crf.marginals(emissions_BLK, transitions, jnp.asarray(batch["tag_weights"]) > 0)
        return jax.nn.softmax(call(apply, params, batch, None), axis=-1)

    def predict(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the likeliest tag of each token, or those of the likeliest sequence, int [B, L]."""
        if self.crf:
            emissions_BLK, transitions = self._scores(apply, params, batch, None)
            return crf.viterbi(emissions_BLK, transitions, jnp.asarray(batch["tag_weights"]) > 0)[0]
        return jnp.argmax(call(apply, params, batch, None), axis=-1)
