# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Say a second text, given a first: translation, summaries, corrections (Sutskever et al. 2014; Raffel et al. 2020)."""

import dataclasses
import math
from typing import ClassVar

import numpy as np

from seqjax.errors import UserError
from seqjax.objectives.next_token import NextToken
from seqjax.objectives.objective import Row, Vocabulary
from seqjax.objectives.span_corruption import frame


@dataclasses.dataclass(frozen=True)
class TextToText(NextToken):
    """Settings of text to text by an encoder-decoder; records hold the two as `text` and `pair`.

    data.length is that of the source. Where a pair is too long for its row the longer text is cut.
    """

    reads: ClassVar[str] = "pair"
    framing: ClassVar[str] = "wrapped"
    sources: ClassVar[bool] = True
    layouts: ClassVar[tuple[str, ...]] = ("pad", "bucket")
    terms: ClassVar[tuple[str, ...]] = ("text",)

    ratio: float = 1.0  # places of the target for each of the source
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    chunk: int = 0  # places whose logits are in memory at a time (0: all), see `losses.token_scores`

    def __post_init__(self) -> None:
        if not self.ratio > 0.0:
            raise UserError(f"objective.ratio={self.ratio} must be above 0")
        super().__post_init__()

    def places(self, width: int) -> tuple[int, int]:
        """Returns (S, T), the places of source and target in a row of `width`: [begin] source [end] target [end]."""
        target = max(2, math.floor((width - 1) * self.ratio / (1.0 + self.ratio)))
        return width - 1 - target, target

    def row_length(self, length: int) -> int:
        """The narrowest row whose source has `length` places."""
        width = length
        while self.places(width)[0] < length:
            width += 1
        return width

    def predictions(self, length: int) -> int:
        """Returns T."""
        return self.places(self.row_length(length))[1]

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns source, source_segments, source_positions [S], tokens, targets, weights, segments, positions [T]."""
        del rng
        places = self.places(len(row["tokens"]))
        real = row["segments"] > 0
        source, target = (row["tokens"][real & (row["token_types"] == kind)] for kind in (0, 1))
        return frame(_ended(source[1:], places[0]), _ended(target, places[1]), places, vocabulary)


def _ended(text: np.ndarray, room: int) -> np.ndarray:
    """Returns a text that ends with its last token, cut before it where it is too long."""
    return text if len(text) <= room else np.concatenate([text[: room - 1], text[-1:]])
