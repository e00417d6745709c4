# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Extractive question answering: the answer to a question is a span of its context."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.config import require, require_choice
from seqjax.models.attention import MASKED
from seqjax.models.heads import SpanHead
from seqjax.models.model import ModelConfig
from seqjax.objectives.losses import correct, cross_entropy
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.types import Apply, Batch, Params

OFFSETS = ("refuse", "find", "drop")  # see seqjax.data.questions.located
SCORES = ("squad", "cmrc2018")  # see seqjax.evaluation.squad


@dataclasses.dataclass(frozen=True)
class QuestionAnswering(Objective):
    """Where in its context a question's answer begins and ends (Devlin et al. 2019, sections 4.2 and 4.3).

    A row is the question and a window of the context, which share `data.overlap` tokens. Start and end each have a
    softmax over the window and the first token; a window that does not hold all of the answer has both at the first
    token. Departs from the paper's code in that the question's own tokens and padding are not in the softmax.
    """

    reads: ClassVar[str] = "answers"
    framing: ClassVar[str] = "wrapped"
    layouts: ClassVar[tuple[str, ...]] = ("pad", "bucket")
    terms: ClassVar[tuple[str, ...]] = ("start", "end")

    no_answer: bool = False  # whether the context may hold no answer (SQuAD 2.0)
    threshold: float = 0.0  # with no_answer: answer where the best span scores at least so much above none
    answer_length: int = 30  # most tokens of an answer that is given
    question_length: int = 64  # most tokens of a question, at most half of a row; the rest is cut
    n_best: int = 20  # spans that an answer's probability is among
    offsets: str = "refuse"  # of a training answer that does not stand at its offset: "refuse", "find" or "drop" it
    score: str = "squad"  # as whose official script: "squad" (words) or "cmrc2018" (Chinese characters)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"offsets": OFFSETS, "score": SCORES})
        require(self, "objective", ("answer_length", "question_length", "n_best"), 1)
        require(self, "objective", ("dropout",), 0, 1)

    def head(self, model: ModelConfig) -> SpanHead:
        """A start and an end vector."""
        return SpanHead(self.dropout)

    def predictions(self, length: int) -> int:
        """The vocabulary head does not run."""
        return 0

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns the row with answer_start, answer_end and answer_weight: 0 where the answer's place is unknown."""
        del rng, vocabulary
        answer = row["answer"]
        example = {name: values for name, values in row.items() if name != "answer"}
        start, end = np.maximum(answer, 0)
        return example | {"answer_start": start, "answer_end": end, "answer_weight": np.float32(answer[0] >= 0)}

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of rows, for each term."""
        return dict.fromkeys(self.terms, jnp.sum(batch["answer_weight"]))

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns the summed cross entropies in nats, and how many rows are right in both places."""
        logits_BL2 = self._logits(apply, params, batch, key)
        weights_B = batch["answer_weight"]
        rows, terms, right_B = jnp.sum(weights_B), {}, jnp.ones(weights_B.shape)
        for place, term in enumerate(self.terms):
            logits_BL, targets_B = logits_BL2[:, :, place], batch[f"answer_{term}"]
            terms[term] = (jnp.sum(cross_entropy(logits_BL, targets_B) * weights_B), rows)
            right_B *= correct(logits_BL, targets_B)
        return terms, {"accuracy": (jnp.sum(right_B * weights_B), rows)}

    def predict(self, apply: Apply, params: Params, batch: Batch) -> jax.Array:
        """Returns the scores of start and end at each place, [B, L, 2]; MASKED where no answer may stand."""
        return self._logits(apply, params, batch, None)

    def _logits(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> jax.Array:
        allowed_BL1 = (jnp.asarray(batch["answer_places"]) > 0)[:, :, None]
        return jnp.where(allowed_BL1, call(apply, params, batch, key), MASKED)
