# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Say a second text, given a first, by a language model alone: both stand in one row, and only the second counts.

    tokens    begin source end target          what the model reads
    targets         source end target end      of which the source and its end count nothing

The end token after the source is the separator. Radford et al. 2018, section 3.3, have one of its own; Raffel et al.
2020, section 3.2.1 and figure 4 (right), let a prefix language model read the source both ways.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from seqjax.objectives.answering import Answering, Ends
from seqjax.objectives.objective import Row, Vocabulary


@dataclasses.dataclass(frozen=True)
class Continuation(Answering):
    """Settings of text to text by a decoder-only model; data.length is that of the row, source and target."""

    lookahead: ClassVar[int] = 1
    one_way: ClassVar[bool] = True

    prefix: bool = False  # the source is read both ways
    ratio: float = 1.0  # places of the target for each of the source
    loses: str = "end"  # which side of a source that is too long is cut; "start" loses older turns of a dialogue
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    chunk: int = 0  # places whose logits are in memory at a time (0: all), see `losses.token_scores`
    beams: int = 1  # of the search for the answers that are scored (1: greedy)
    length_penalty: float = 1.0  # of that search, see `seqjax.decoding.beam`
    bleu: str = "13a"  # how sacrebleu makes words of the answers: "13a", "intl", "zh", "char" or "none"
    stemmed: bool = False  # ROUGE compares stems of English words
    references: bool = False  # records with the same text are references of one answer, scored together
    judged: str = "text"  # an answer is scored as "text", as the name of a "class" or as a "number"

    @property
    def prefixes(self) -> bool:  # type: ignore[override]
        """Whether the source is read both ways."""
        return self.prefix

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns tokens, targets, segments, positions, weights and perhaps prefix [L] of a row of L + 1 places."""
        del rng, vocabulary
        said = (row["segments"] > 0) & (row["token_types"] == 1)
        out = {
            "tokens": row["tokens"][:-1],
            "targets": np.where(said[1:], row["tokens"][1:], 0).astype(np.int32),
            "segments": row["segments"][:-1],
            "positions": row["positions"][:-1],
            "weights": said[1:].astype(np.float32),
        }
        if self.prefix:
            out["prefix"] = ((row["segments"] > 0) & ~said)[:-1].astype(np.int32)
        return out

    def asked(self, source: Sequence[int], ends: Ends) -> list[int]:
        """The prompt: begin, source, end."""
        return [ends.bos, *source, ends.eos]

    def asking(self, rows: Sequence[Sequence[int]], ends: Ends) -> dict[str, Any]:
        """The rows are prompts."""
        del ends
        return {"prompts": rows, "prefixed": self.prefix}
