# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling (Devlin et al. 2019, section 3.1; dynamic masking: Liu et al. 2019, section 4.1)."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.heads import Scored
from seqjax.objectives.losses import sums, token_scores
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
    ngram: int = 1  # longest run of tokens (or words) chosen together, n with chance ~ 1/n (Lan et al. 2020, eq. 3)
    masking: str = "dynamic"  # "dynamic": anew in each epoch; "static": one of `copies` maskings, in turn
    copies: int = 10  # Liu et al. 2019: training data was duplicated 10 times for static masking
    z_loss: float = 0.0
    chunk: int = 0  # predictions whose logits are in memory at a time (0: all), see `losses.token_scores`

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"masking": ("dynamic", "static")})
        if not 0.0 < self.rate < 1.0:
            raise UserError(f"objective.rate={self.rate} must lie between 0 and 1")
        if min(self.masked, self.random) < 0.0 or self.masked + self.random > 1.0:
            raise UserError("objective.masked and objective.random must be at least 0 and sum to at most 1")
        require(self, "objective", ("copies", "ngram"), 1)
        require(self, "objective", ("z_loss", "chunk"), 0)

    def check(self, vocabulary: Vocabulary, length: int) -> None:
        """There is a token to mask with."""
        if self.masked and vocabulary.mask < 0:
            raise UserError("this tokenizer has no mask token ([MASK] or <mask>); use another data.tokenizer")

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
        if self.whole_word or self.ngram > 1:
            starts = vocabulary.word_starts[tokens] if self.whole_word else np.ones(length, bool)
            chosen = _choose_runs(candidates, starts, wanted, self.ngram, rng)
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

    def scored(self, batch: Batch, key: jax.Array | None) -> Scored:
        """Returns the request for cross entropy and hits at each prediction, [B, P] both."""
        return token_scores(batch["mlm_targets"], key is not None, z_loss=self.z_loss, chunk=self.chunk)

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropy in nats over the predictions, and how many are right."""
        scored = self.scored(batch, key)
        out = call(apply, params, batch, key, gather_BP=batch["mlm_positions"], **scored.options())
        return sums("mlm", batch["mlm_weights"], *scored.read(out))


_SLOTS = {"mlm_positions": np.int32, "mlm_targets": np.int32, "mlm_weights": np.float32}


def _choose_runs(
    candidates: np.ndarray, starts: np.ndarray, wanted: int, longest: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns places of runs of neighbouring words, in random order, until `wanted` are filled.

    A word is a maximal run of neighbouring candidates of which only the first begins a word. A run has n words with
    chance ~ 1/n, n <= longest; it ends early at a word that is taken or not a neighbour, or that would overflow.
    """
    if not len(candidates):
        return candidates
    apart = np.diff(candidates) > 1
    words = np.split(candidates, np.flatnonzero(apart | starts[candidates[1:]]) + 1)
    chances = 1.0 / np.arange(1, longest + 1)
    sizes = rng.choice(longest, size=len(words), p=chances / chances.sum()) + 1 if longest > 1 else None
    taken = np.zeros(len(words), bool)
    filled = 0
    for first in rng.permutation(len(words)):
        for i in range(first, min(first + (1 if sizes is None else int(sizes[first])), len(words))):
            neighbour = i == first or words[i][0] == words[i - 1][-1] + 1
            if taken[i] or not neighbour or filled + len(words[i]) > wanted:
                break
            taken[i] = True
            filled += len(words[i])
    return np.concatenate([words[i] for i in np.flatnonzero(taken)]) if filled else candidates[:0]
