# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A mixture of denoisers: each row gets one of several corruptions (Tay et al. 2023, UL2, section 3.1)."""

import dataclasses

import numpy as np

from seqjax.errors import UserError
from seqjax.objectives.objective import Row, Vocabulary
from seqjax.objectives.span_corruption import SpanCorruption, counts, example, frame, lengths, noise_mask, sentinel_ids


@dataclasses.dataclass(frozen=True)
class Denoisers(SpanCorruption):
    """Settings of the mixture; the defaults are UL2's table 1, with equal shares; `rate` and `span` are not read.

    Departs: no mode token tells the model which denoiser it is; rows hold as many tokens as any denoiser's source may,
    so most sources are shorter than data.length; the sequential one says 1 .. T - 1 tokens, not a quarter of the row.
    """

    spans: tuple[tuple[float, float], ...] = (  # mean length of a span, share of noise
        (3.0, 0.15), (8.0, 0.15),  # R, regular
        (3.0, 0.5), (8.0, 0.5), (64.0, 0.15), (64.0, 0.5),  # X, extreme
    )  # fmt: skip
    prefix: bool = True  # S, sequential: a seventh denoiser says how the row goes on

    def __post_init__(self) -> None:
        super().__post_init__()
        for span, rate in self.spans:
            if not (span >= 1.0 and 0.0 < rate < 1.0):
                raise UserError(f"objective.spans: ({span}, {rate}) must be a length of at least 1 and a share below 1")
        if not self.spans:
            raise UserError("objective.spans must hold at least one pair of length and share")

    def _most_spans(self, tokens: int) -> int:
        return max(counts(tokens, rate, span)[1] for span, rate in self.spans)

    def row_length(self, length: int) -> int:
        """Whatever the denoiser, the source of a row fits with its end token."""
        return length - 1

    def predictions(self, length: int) -> int:
        """Returns T, the longest targets of any denoiser."""
        return max(lengths(self.row_length(length), rate, span)[1] for span, rate in self.spans)

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns what span corruption does, by a random denoiser."""
        text = row["tokens"][row["segments"] > 0]
        width = len(row["tokens"])
        places = (width + 1, self.predictions(width + 1))
        sentinels = sentinel_ids(vocabulary, self.sentinels)
        choice = int(rng.integers(len(self.spans) + self.prefix))
        if len(text) < 2:
            return example(text, np.zeros(len(text), bool), places, sentinels, vocabulary)
        if choice < len(self.spans):
            span, rate = self.spans[choice]
            return example(text, noise_mask(len(text), rate, span, rng), places, sentinels, vocabulary)
        rest = int(rng.integers(1, min(len(text), places[1])))
        source, targets = np.append(text[:-rest], vocabulary.eos), np.append(text[-rest:], vocabulary.eos)
        return frame(source, targets, places, vocabulary.pad, vocabulary.pad)
