# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Span corruption for encoder-decoders (Raffel et al. 2020, section 3.1.4; for lengths its published code).

Noise spans of "thank you for inviting me", X and Y being sentinels and . the end token:

    source   thank X inviting Y .          what the encoder reads
    targets  X you for Y me .              what the decoder says, having read the same shifted by one place
"""

import dataclasses
from typing import ClassVar

import numpy as np

from seqjax.config import require
from seqjax.errors import UserError
from seqjax.objectives.next_token import NextToken
from seqjax.objectives.objective import Row, Vocabulary


@dataclasses.dataclass(frozen=True)
class SpanCorruption(NextToken):
    """Settings of span corruption; the defaults are T5's."""

    framing: ClassVar[str] = "bare"
    sources: ClassVar[bool] = True
    layouts: ClassVar[tuple[str, ...]] = ("stream", "pad")
    terms: ClassVar[tuple[str, ...]] = ("span",)

    rate: float = 0.15  # of the tokens are noise
    span: float = 3.0  # mean length of a noise span
    sentinels: int = 100  # ids above the tokenizer's, the highest first, where it has none of its own (<extra_id_0>)
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    chunk: int = 0  # places whose logits are in memory at a time (0: all), see `losses.token_scores`

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0:
            raise UserError(f"objective.rate={self.rate} must lie between 0 and 1")
        require(self, "objective", ("span", "sentinels"), 1)
        super().__post_init__()

    def check(self, vocabulary: Vocabulary, length: int) -> None:
        """Sources and targets end with the end token, and each span takes a sentinel."""
        if vocabulary.eos < 0:
            raise UserError("this tokenizer has no end token, which span corruption needs; use another data.tokenizer")
        spans, own = self._most_spans(self.row_length(length)), len(vocabulary.sentinels)
        if own and spans > own:
            raise UserError(f"{spans} spans in a row, but the tokenizer has {own} sentinels; use a smaller data.length")
        if not own and spans > self.sentinels:
            raise UserError(f"{spans} spans in a row need as many sentinels; set objective.sentinels={spans}")

    def _most_spans(self, tokens: int) -> int:
        return counts(tokens, self.rate, self.span)[1]

    def extra_ids(self, vocabulary: Vocabulary) -> int:
        """Sentinels, unless the tokenizer has its own."""
        return 0 if len(vocabulary.sentinels) else self.sentinels

    def row_length(self, length: int) -> int:
        """The most tokens of which the corrupted ones fill `length` places: 568 for 512."""
        return raw_length(length, self.rate, self.span)

    def predictions(self, length: int) -> int:
        """Returns T, the length of the targets: 114 for 512."""
        return lengths(self.row_length(length), self.rate, self.span)[1]

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns source, source_segments, source_positions [S], tokens, targets, weights, segments, positions [T]."""
        text = row["tokens"][row["segments"] > 0]
        width = len(row["tokens"])
        places = lengths(width, self.rate, self.span)
        noise = noise_mask(len(text), self.rate, self.span, rng) if len(text) > 1 else np.zeros(len(text), bool)
        return example(text, noise, places, sentinel_ids(vocabulary, self.sentinels), vocabulary)


def counts(length: int, rate: float, span: float) -> tuple[int, int]:
    """Returns the number of noise tokens and of noise spans of a text."""
    noise = min(max(round(length * rate), 1), length - 1)
    return noise, min(max(round(noise / span), 1), length - noise)


def lengths(length: int, rate: float, span: float) -> tuple[int, int]:
    """Returns the places that source and targets of `length` tokens take, with sentinels and end token."""
    noise, spans = counts(length, rate, span)
    return length - noise + spans + 1, noise + spans + 1


def raw_length(inputs: int, rate: float, span: float) -> int:
    """Returns the most tokens whose source fits into `inputs` places (`random_spans_helper` of the published code)."""
    length = 2
    while lengths(length + 1, rate, span)[0] <= inputs:
        length += 1
    if rate == 0.5 and lengths(length, rate, span)[1] > inputs:  # there too: targets no longer than the source
        length -= 1
    return length


def noise_mask(length: int, rate: float, span: float, rng: np.random.Generator) -> np.ndarray:
    """Returns bool [length]: spans of text and of noise in turn, text first, each division equally likely.

    Source: `random_spans_noise_mask` of the published code.
    """
    noise, spans = counts(length, rate, span)
    sizes = np.stack([_divide(length - noise, spans, rng), _divide(noise, spans, rng)], axis=1).reshape(-1)
    return np.repeat(np.arange(2 * spans) % 2 == 1, sizes)


def _divide(total: int, parts: int, rng: np.random.Generator) -> np.ndarray:
    """Returns `parts` sizes of at least 1 that sum to `total`."""
    borders = np.sort(rng.permutation(total - 1)[: parts - 1]) + 1
    return np.diff(np.concatenate([[0], borders, [total]]))


def sentinel_ids(vocabulary: Vocabulary, count: int) -> np.ndarray:
    """Returns the sentinels in the order of their use."""
    own = vocabulary.sentinels
    return own if len(own) else np.arange(vocabulary.size + count - 1, vocabulary.size - 1, -1)


def example(
    text: np.ndarray, noise: np.ndarray, places: tuple[int, int], sentinels: np.ndarray, vocabulary: Vocabulary
) -> dict[str, np.ndarray]:
    """Returns the batch keys of a text whose noise goes to the targets, in rows of `places` (source, targets)."""
    first = noise & ~np.concatenate([[False], noise[:-1]])
    number = np.cumsum(first) - 1
    source = np.where(first, sentinels[np.maximum(number, 0)], text)[~noise | first]
    pairs = np.stack([sentinels[np.maximum(number, 0)], text], axis=1).reshape(-1)
    targets = pairs[np.stack([first, noise], axis=1).reshape(-1)]
    ends = [vocabulary.eos] if len(text) > 1 else []
    source, targets = (np.concatenate([ids, ends]) for ids in (source, targets))
    return frame(source, targets, places, vocabulary.pad, vocabulary.pad)


def target_start(pad: int) -> int:
    """Returns the id with which a decoder begins: the padding, as T5's does."""
    return max(pad, 0)


def frame(
    source: np.ndarray, targets: np.ndarray, places: tuple[int, int], source_pad: int, pad: int
) -> dict[str, np.ndarray]:
    """Returns a source and its targets as rows padded by an id of the vocabulary of each (-1: it has no padding)."""
    start = target_start(pad)

    def row(values: np.ndarray, width: int, fill: int = 0) -> np.ndarray:
        out = np.full(width, fill, np.int32)
        out[: len(values)] = values
        return out

    count = len(targets)
    return {
        "source": row(source, places[0], max(source_pad, 0)),
        "source_segments": row(np.ones(len(source)), places[0]),
        "source_positions": row(np.arange(len(source)), places[0]),
        "tokens": row(np.concatenate([[start], targets[:-1]])[:count], places[1], start),
        "targets": row(targets, places[1]),
        "weights": row(np.ones(count), places[1]).astype(np.float32),
        "segments": row(np.ones(count), places[1]),
        "positions": row(np.arange(count), places[1]),
    }


def invert(source: np.ndarray, targets: np.ndarray, sentinels: np.ndarray) -> np.ndarray:
    """Returns the text of an uncorrupted source and its targets, both without end token and padding."""
    where = np.flatnonzero(np.isin(targets, sentinels))
    spans = {int(targets[a]): targets[a + 1 : b] for a, b in zip(where, [*where[1:], len(targets)], strict=True)}
    pieces = [spans[int(token)] if int(token) in spans else np.array([token]) for token in source]
    return np.concatenate(pieces) if pieces else source
