# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Say a second text, given a first: translation, summaries, corrections (Sutskever et al. 2014; Raffel et al. 2020)."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.heads import Scored
from seqjax.objectives.answering import Answering, Ends
from seqjax.objectives.losses import sums, token_scores
from seqjax.objectives.objective import Pairs, Row, Vocabulary, call
from seqjax.objectives.span_corruption import frame, target_start
from seqjax.types import Apply, Batch, Params

DECAYS = ("always", "linear", "exponential", "inverse_sigmoid")
FEEDBACK = ("two_pass", "stepwise")


@dataclasses.dataclass(frozen=True)
class TextToText(Answering):
    """Settings of text to text by an encoder-decoder; data.length is that of the source."""

    framing: ClassVar[str] = "ended"  # an encoder's source has no beginning
    sources: ClassVar[bool] = True

    ratio: float = 1.0  # places of the target for each of the source
    loses: str = "end"  # which side of a source that is too long is cut; "start" loses older turns of a dialogue
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    chunk: int = 0  # places whose logits are in memory at a time (0: all), see `losses.token_scores`
    teacher: str = "always"  # or how the chance that a decoder reads gold decays: "linear", "exponential", ...
    teacher_rate: float = 0.0  # per update, for "linear" and "exponential"; Bengio's k for "inverse_sigmoid"
    teacher_least: float = 0.0  # the chance does not fall below it
    feedback: str = "two_pass"  # where it does not read gold: what it would say given gold, or "stepwise" given itself
    beams: int = 1  # of the search for the answers that are scored (1: greedy)
    length_penalty: float = 1.0  # of that search, see `seqjax.decoding.beam`
    bleu: str = "13a"  # how sacrebleu makes words of the answers: "13a", "intl", "zh", "char" or "none"
    stemmed: bool = False  # ROUGE compares stems of English words
    references: bool = False  # records with the same text are references of one answer, scored together
    judged: str = "text"  # an answer is scored as "text", as the name of a "class" or as a "number"

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"teacher": DECAYS, "feedback": FEEDBACK})
        require(self, "objective", ("teacher_least",), 0, 1)
        if self.teacher != "always" and not self.teacher_rate > 0.0:
            raise UserError(f"objective.teacher={self.teacher} needs objective.teacher_rate above 0")
        if self.teacher == "exponential" and self.teacher_rate >= 1.0:
            raise UserError(f"objective.teacher_rate={self.teacher_rate} must be below 1 to decay")
        if self.feedback == "stepwise" and self.chunk:
            raise UserError("objective.feedback=stepwise has the logits of every place; set objective.chunk=0")
        super().__post_init__()

    def check(self, vocabulary: Vocabulary, length: int) -> None:
        """Sources end with an end token; rows see to that of targets."""
        if vocabulary.source.eos < 0:
            raise UserError("the tokenizer of sources has no end token; use another data.source_tokenizer")

    def row_length(self, length: int) -> int:
        """The narrowest row whose source has `length` places, and its target `ratio` as many."""
        width = length
        while self.places(width)[0] < length or self.places(width)[1] < math.floor(length * self.ratio + 1e-9):
            width += 1
        return width

    def predictions(self, length: int) -> int:
        """Returns T."""
        return self.places(self.row_length(length))[1]

    @property
    def scheduled(self) -> bool:
        """Whether teacher forcing decays."""
        return self.teacher != "always"

    def gold_chance(self, updates: jax.Array) -> jax.Array:
        """Returns the chance that a decoder reads gold after so many updates (Bengio et al. 2015, section 2.4)."""
        i, rate = updates.astype(jnp.float32), self.teacher_rate
        chances = {
            "always": lambda: jnp.ones_like(i),
            "linear": lambda: 1.0 - rate * i,
            "exponential": lambda: rate**i,
            "inverse_sigmoid": lambda: jax.nn.sigmoid(jnp.log(rate) - i / rate),  # k / (k + exp(i / k))
        }
        return jnp.clip(chances[self.teacher](), self.teacher_least, 1.0)

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """As `NextToken`; in training with scheduled sampling a decoder reads, by chance, its own words for gold.

        Each place is decided for by itself. `feedback` says whose words: "stepwise" are those of the model that has
        read what it said before (Bengio et al. 2015, section 2.3), one place after the other; "two_pass" are those of a
        first reading of gold only, all places at once (Mihaylova and Martins 2019, section 3), as a Transformer needs
        it. No gradient flows through the choice of a word, the likeliest.
        """
        if key is None or not self.scheduled:
            return super().loss(apply, params, batch, key)
        gold_key, first_key, key = jax.random.split(key, 3)
        tokens_BT = jnp.asarray(batch["tokens"])
        chance_B1 = self.gold_chance(jnp.asarray(batch["updates"]))[:, None]
        gold_BT = jax.random.uniform(gold_key, tokens_BT.shape) < chance_B1
        gold_BT = gold_BT.at[:, 0].set(True)  # the start has no word before it
        if self.feedback == "stepwise":
            return self._stepwise(apply, params, batch, gold_BT, key)
        likeliest = Scored(lambda logits, _: jnp.argmax(jax.lax.stop_gradient(logits), axis=-1), tokens_BT, self.chunk)
        said_BT = likeliest.read(call(apply, params, batch, first_key, **likeliest.options()))
        mixed_BT = jnp.where(gold_BT, tokens_BT, jnp.roll(said_BT, 1, axis=1))
        return super().loss(apply, params, {**batch, "tokens": mixed_BT}, key)

    def _stepwise(
        self, apply: Apply, params: Params, batch: Batch, gold_BT: jax.Array, key: jax.Array
    ) -> tuple[Pairs, Pairs]:
        source_BS, segments_BS = jnp.asarray(batch["source"]), jnp.asarray(batch["source_segments"])
        length, variables = gold_BT.shape[1], {"params": params}
        rngs = {"dropout": jax.random.fold_in(key, length)}
        carry = apply(variables, source_BS, segments_BS, length, True, method="start", rngs=rngs)

        def place(before: tuple[jax.Array, jax.Array], inputs: tuple[jax.Array, ...]) -> tuple[tuple, jax.Array]:
            said_B, carry = before
            number, token_B, gold_B, segment_B = inputs
            read_B1 = jnp.where(gold_B, token_B, said_B)[:, None]
            rngs = {"dropout": jax.random.fold_in(key, number)}
            logits_B1V, carry = apply(
                variables, read_B1, segments_BL=segment_B[:, None], carry=carry, train=True, rngs=rngs
            )
            said_B = jnp.argmax(jax.lax.stop_gradient(logits_B1V[:, 0]), axis=-1).astype(token_B.dtype)
            return (said_B, carry), logits_B1V[:, 0]

        places = (batch["tokens"], gold_BT, batch["segments"])
        columns = (jnp.arange(length), *(jnp.swapaxes(jnp.asarray(x), 0, 1) for x in places))
        start_B = jnp.asarray(batch["tokens"])[:, 0]
        _, logits_TBV = jax.lax.scan(place, (start_B, carry), columns)
        scored = token_scores(batch["targets"], True, self.label_smoothing, self.z_loss)
        return sums(self.terms[0], batch["weights"], *scored.read(jnp.swapaxes(logits_TBV, 0, 1)))

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns source, source_segments, source_positions [S], tokens, targets, weights, segments, positions [T]."""
        del rng
        real = row["segments"] > 0
        source, target = (row["tokens"][real & (row["token_types"] == kind)] for kind in (0, 1))
        source = np.append(source[1:-1], vocabulary.source.eos)  # its own vocabulary's end, not the target's
        return frame(source, target, self.places(len(row["tokens"])), vocabulary.source.pad, vocabulary.pad)

    def asked(self, source: Sequence[int], ends: Ends) -> list[int]:
        """The source and its end."""
        return [*source, ends.eos]

    def asking(self, rows: Sequence[Sequence[int]], ends: Ends) -> dict[str, Any]:
        """The rows are sources of an encoder."""
        return {"sources": rows, "start": target_start(ends.pad)}
