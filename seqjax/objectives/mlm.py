# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling (Devlin et al. 2019, section 3.1; dynamic masking: Liu et al. 2019, section 4.1)."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require_choice
from seqjax.errors import UserError
from seqjax.objectives.losses import correct, cross_entropy
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.types import Apply, Batch, Params


@dataclasses.dataclass(frozen=True)
class MLM(Objective):
    """Settings of masked language modelling; the defaults are BERT's with RoBERTa's dynamic masking."""

    framing: ClassVar[str] = "wrapped"
    terms: ClassVar[tuple[str, ...]] = ("mlm",)

    rate: float = 0.15  # of the real tokens are predicted
    masked: float = 0.8  # of these become the mask token
    random: float = 0.1  # of these become a random token; the rest stay
    whole_word: bool = False  # choose words instead of tokens (BERT's later "whole word masking" models)
    masking: str = "dynamic"  # "dynamic": anew in each epoch; "static": one of `copies` maskings, in turn
    copies: int = 10  # Liu et al. 2019: training data was duplicated 10 times for static masking

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"masking": ("dynamic", "static")})
        if not 0.0 < self.rate < 1.0:
            raise UserError(f"objective.rate={self.rate} must lie between 0 and 1")
        if min(self.masked, self.random) < 0.0 or self.masked + self.random > 1.0:
            raise UserError("objective.masked and objective.random must be at least 0 and sum to at most 1")
        if self.copies < 1:
            raise UserError(f"objective.copies={self.copies} must be at least 1")

    def predictions(self, length: int) -> int:
        """Returns P, the fixed number of slots, so that the head runs on these places only."""
        return math.ceil(self.rate * length)

    def corruption_epoch(self, epoch: int) -> int:
        """Dynamic masking differs in each epoch, static masking repeats after `copies` epochs."""
        return epoch if self.masking == "dynamic" else epoch % self.copies

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns the masked tokens [L] and mlm_positions, mlm_targets, mlm_weights [P].

        Special tokens are never chosen, nor put in as a random token (BERT's published code allows the latter).
        """
        tokens, length = row["tokens"], len(row["tokens"])
        specials = np.unique([vocabulary.pad, vocabulary.bos, vocabulary.eos, vocabulary.mask])
        candidates = np.flatnonzero((row["segments"] > 0) & ~np.isin(tokens, specials))
        slots = self.predictions(length)
        wanted = min(slots, max(1, round(self.rate * len(candidates)))) if len(candidates) else 0
        if self.whole_word:
            chosen = _choose_words(candidates, vocabulary.word_starts[tokens], wanted, rng)
        else:
            chosen = np.sort(rng.permutation(candidates)[:wanted])

        kind = rng.random(len(chosen))
        substitutes = rng.integers(vocabulary.size - len(specials), size=len(chosen))
        for special in specials:
            substitutes += substitutes >= special
        corrupted = tokens.copy()
        corrupted[chosen[kind < self.masked]] = vocabulary.mask
        random = (kind >= self.masked) & (kind < self.masked + self.random)
        corrupted[chosen[random]] = substitutes[random]

        out = {name: np.zeros(slots, dtype) for name, dtype in _SLOTS.items()}
        out["mlm_positions"][: len(chosen)] = chosen
        out["mlm_targets"][: len(chosen)] = tokens[chosen]
        out["mlm_weights"][: len(chosen)] = 1.0
        return {"tokens": corrupted, "segments": row["segments"], "positions": row["positions"]} | out

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of predictions."""
        return {"mlm": jnp.sum(batch["mlm_weights"])}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats over the predictions, and how many are right."""
        logits_BPV = call(apply, params, batch, key, gather_BP=batch["mlm_positions"])
        loss_BP = cross_entropy(logits_BPV, batch["mlm_targets"])
        weight = self.weights(batch)["mlm"]
        hits = jnp.sum(correct(logits_BPV, batch["mlm_targets"]) * batch["mlm_weights"])
        return {"mlm": (jnp.sum(loss_BP * batch["mlm_weights"]), weight)}, {"accuracy": (hits, weight)}


_SLOTS = {"mlm_positions": np.int32, "mlm_targets": np.int32, "mlm_weights": np.float32}


def _choose_words(candidates: np.ndarray, starts: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Returns places of whole words in random order until `wanted` are filled; a word that would overflow is skipped.

    A word is a maximal run of neighbouring candidates of which only the first begins a word.
    """
    if not len(candidates):
        return candidates
    new = np.concatenate([[True], (np.diff(candidates) > 1) | starts[candidates[1:]]])
    words = np.split(candidates, np.flatnonzero(new)[1:])
    chosen: list[np.ndarray] = []
    filled = 0
    for i in rng.permutation(len(words)):
        if filled + len(words[i]) <= wanted:
            chosen.append(words[i])
            filled += len(words[i])
    return np.sort(np.concatenate(chosen)) if chosen else candidates[:0]
