# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What objectives that say a second text, given a first, have in common: both texts in a row, and how to ask."""

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.objectives.next_token import NextToken

LOSES = ("end", "start")
JUDGED = ("text", "class", "number")
WORDS = ("13a", "intl", "zh", "char", "none")


class Ends(Protocol):
    """The ids of a tokenizer that stand around texts."""

    @property
    def pad(self) -> int: ...
    @property
    def bos(self) -> int: ...
    @property
    def eos(self) -> int: ...


class Answering(NextToken):
    """Records hold the two texts as `text` and `pair`; one that is too long for its part of the row is cut.

    Attributes:
      ratio: places of the target for each of the source.
      loses: what a source that is too long loses: its "end", or its "start", as the older turns of a dialogue.
      beams: of the search for the answers that are scored (1: greedy).
      length_penalty: of that search, see `seqjax.decoding.beam`.
      bleu: how sacrebleu makes words of the answers, one of WORDS.
      stemmed: whether ROUGE compares stems of English words (Porter 1980).
      judged: how answers are scored: as "text" by BLEU, chrF and ROUGE, as a "class" by accuracy and F1, or as a
        "number" by Pearson's and Spearman's correlation.
      references: whether records with the same text are references of one answer, scored together.
    """

    reads: ClassVar[str] = "pair"
    framing: ClassVar[str] = "wrapped"
    layouts: ClassVar[tuple[str, ...]] = ("pad", "bucket")
    terms: ClassVar[tuple[str, ...]] = ("text",)

    ratio: float
    loses: str
    beams: int
    length_penalty: float
    bleu: str
    stemmed: bool
    references: bool
    judged: str

    def __post_init__(self) -> None:
        if not self.ratio > 0.0:
            raise UserError(f"objective.ratio={self.ratio} must be above 0")
        require(self, "objective", ("beams",), 1)
        require_choice(self, "objective", {"bleu": WORDS, "judged": JUDGED, "loses": LOSES})
        if self.references and self.judged != "text":
            raise UserError(f"objective.judged={self.judged} has one right answer; set objective.references=false")
        require(self, "objective", ("length_penalty",), 0)
        super().__post_init__()

    def places(self, width: int) -> tuple[int, int]:
        """Returns (S, T), the places of source and target in a row of `width`: [begin] source [end] target [end]."""
        target = max(2, math.floor((width - 1) * self.ratio / (1.0 + self.ratio) + 1e-9))
        return width - 1 - target, target

    def widest(self, length: int) -> tuple[int, int]:
        """Returns the places of source and target in a row for data.length=`length`, each with its end token."""
        return self.places(self.row_length(length) + self.lookahead)

    @property
    def late(self) -> bool:
        """As `loses` says."""
        return self.loses == "start"

    def source(self, ids: list[int], length: int) -> list[int]:
        """Returns the ids of a source, cut to what has room in a row for data.length=`length`."""
        room = self.widest(length)[0] - 1
        return ids[max(len(ids) - room, 0) :] if self.late else ids[:room]

    @property
    def parts(self) -> Callable[[int], tuple[int, int]]:
        """Each text ends with a token in its part of the row."""
        return self._texts

    def _texts(self, width: int) -> tuple[int, int]:
        source, target = self.places(width)
        return source - 1, target - 1

    def places_needed(self, first: np.ndarray, second: np.ndarray, longest: int) -> np.ndarray:
        """Both texts end with a token, and each has its part of the row."""
        longest += self.lookahead
        parts = np.array([self.places(width) for width in range(longest + 1)])
        source, target = (np.searchsorted(parts[:, i], text + 1) for i, text in enumerate((first, second)))
        return np.minimum(np.maximum(source, target), longest)

    @abc.abstractmethod
    def asked(self, source: Sequence[int], ends: Ends) -> list[int]:
        """Returns what the model reads of a source's ids before it answers; `ends` are those of its vocabulary."""

    @abc.abstractmethod
    def asking(self, rows: Sequence[Sequence[int]], ends: Ends) -> dict[str, Any]:
        """Returns the arguments by which `generate` and `beam_search` answer rows of what `asked` gives."""
