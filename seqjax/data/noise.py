# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Clean texts made into pairs of a noisy and the clean one, to learn correction from (Ghosh and Kristensson 2017)."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from seqjax.data.records import Record, Records, fingerprint

_VERSION = 1  # part of the fingerprint: raise it when the noise changes
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclasses.dataclass(frozen=True)
class Noisy:
    """Records whose `text` is a noisy version of what becomes their `pair`; the same in every epoch.

    Attributes:
      records: with clean texts.
      rate: of the characters that are changed.
    """

    records: Records
    rate: float

    @property
    def fingerprint(self) -> str:
        """Changes with the texts and with the noise."""
        return fingerprint([self.records.fingerprint, self.rate, _VERSION])

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the records."""
        return self.records.labels

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        rng = np.random.default_rng((_VERSION, index % len(self)))
        return record | {"text": noisy(record["text"], self.rate, rng), "pair": record["text"]}

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))


def noisy(text: str, rate: float, rng: np.random.Generator) -> str:
    """Returns a text in which each character, by the chance `rate`, has met with one of four mistakes of a typist.

    It is left out, written twice, written as a random letter, or swapped with the next. Never is nothing left.
    """
    out: list[str] = []
    place = 0
    while place < len(text):
        here = text[place]
        place += 1
        if rng.random() >= rate:
            out.append(here)
            continue
        mistake = rng.integers(4)
        if mistake == 1:
            out += [here, here]
        elif mistake == 2:
            out.append(LETTERS[rng.integers(len(LETTERS))])
        elif mistake == 3:
            out += [*text[place : place + 1], here]
            place += 1
    return "".join(out) if "".join(out).strip() else text
