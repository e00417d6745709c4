# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Texts made by a rule, for tasks whose right answer is known: no text is in two splits.

    made:addition/DIGITS     "417+86" -> "503": two numbers of at most so many digits, short ones as common as long
    made:reversal/LENGTH     "d a c" -> "c a d": 1 to LENGTH letters, the length uniform
    made:copy/LENGTH         "d a c" -> "d a c"
    made:choice/LENGTH       "d a c": "c d a" or "b e"? The right one of two choices has the same letters
    made:similarity/LENGTH   "d a c", "c e": 1.25, five times the share of letters that two texts have in common
    made:same/LENGTH         "d a c", "c a d": yes, the letters are the same; no where one of them was changed
    made:relation/LENGTH     "<e1>x</e1> d <e2>c</e2>": Before(e2,e1): c is 5 or more letters before x; else it is Other

Sutskever et al. 2014, section 3.3, on why reversal is hard for one vector; Zaremba and Sutskever 2014 (arXiv:1410.4615)
for addition by a recurrent network.
"""

import functools
import itertools
import string
from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np

from seqjax.config import unknown
from seqjax.data.records import Record, Records, fingerprint
from seqjax.errors import UserError

T = TypeVar("T", bound=Hashable)

SPLITS = {"train": 50_000, "validation": 2_000, "test": 2_000}
_EVERY = sum(SPLITS.values())
_LETTERS = np.array(list(string.ascii_lowercase))
APART = 5  # letters of the alphabet between two that are related
_VERSION = 2  # part of the fingerprint: raise it when what is made changes


def open_made(spec: str, split: str) -> Records:
    """Returns the records, with `text` and perhaps `pair`, `choices` or `label`, of a split of "TASK/SIZE".

    Raises:
      UserError: an unknown task or split, or a size that is no whole number above 0.
    """
    task, _, size = spec.partition("/")
    if task not in TASKS:
        raise UserError(f"made:{spec}: {unknown('task', task, list(TASKS))}")
    default, _, largest = TASKS[task]
    if size and not (size.isdecimal() and 1 <= int(size) <= largest):
        raise UserError(f"made:{spec}: '{size}' is not a whole number from 1 to {largest}")
    if split not in SPLITS:
        raise UserError(f"made:{spec}: {unknown('split', split, list(SPLITS))}")
    rows = _made(task, int(size or default))
    counts = [round(len(rows) * count / _EVERY) for count in SPLITS.values()]
    ends = dict(zip(SPLITS, itertools.accumulate(counts), strict=True))
    sizes = dict(zip(SPLITS, counts, strict=True))
    return Records(rows[ends[split] - sizes[split] : ends[split]], fingerprint([spec, split, default, _VERSION]))


@functools.lru_cache(maxsize=2)
def _made(task: str, size: int) -> list[Record]:
    """Returns all records of a task; they are cut into splits."""
    return TASKS[task][1](size, np.random.default_rng((_VERSION, *task.encode())))


def _addition(digits: int, rng: np.random.Generator) -> list[Record]:
    pairs = _distinct(lambda: tuple(rng.integers(10 ** rng.integers(1, digits + 1, size=2)).tolist()), rng)
    return [{"text": f"{a}+{b}", "pair": str(a + b)} for a, b in pairs]


def _words(length: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    return _distinct(lambda: tuple(_LETTERS[rng.integers(26, size=rng.integers(1, length + 1))].tolist()), rng)


def _reversal(length: int, rng: np.random.Generator) -> list[Record]:
    return [{"text": " ".join(word), "pair": " ".join(reversed(word))} for word in _words(length, rng)]


def _copy(length: int, rng: np.random.Generator) -> list[Record]:
    return [{"text": " ".join(word), "pair": " ".join(word)} for word in _words(length, rng)]


def _choice(length: int, rng: np.random.Generator) -> list[Record]:
    words = _words(length, rng)
    records: list[Record] = []
    for word, other in zip(words, np.roll(np.arange(len(words)), 1), strict=True):
        right, wrong = " ".join(rng.permutation(word)), " ".join(words[other])
        if sorted(word) == sorted(words[other]):
            continue  # both would be right
        label = int(rng.integers(2))
        records.append(
            {"text": " ".join(word), "choices": [wrong, right] if label else [right, wrong], "label": str(label)}
        )
    return records


def _similarity(length: int, rng: np.random.Generator) -> list[Record]:
    records: list[Record] = []
    for word in _words(length, rng):
        kept = [letter for letter in word if rng.random() < 0.5]
        other = [*kept, *_LETTERS[rng.integers(26, size=len(word) - len(kept))].tolist()]
        share = len({*word} & {*other}) / len({*word, *other})
        records.append({"text": " ".join(word), "pair": " ".join(rng.permutation(other)), "label": f"{5 * share:.2f}"})
    return records


def _same(length: int, rng: np.random.Generator) -> list[Record]:
    records: list[Record] = []
    for word in _words(length, rng):
        other, label = list(word), str(rng.choice(["no", "yes"]))
        if label == "no":
            place = int(rng.integers(len(word)))
            other[place] = str(rng.choice(_LETTERS[word[place] != _LETTERS]))
        records.append({"text": " ".join(word), "pair": " ".join(rng.permutation(other)), "label": label})
    return records


def _relation(length: int, rng: np.random.Generator) -> list[Record]:
    records: list[Record] = []
    for word in _words(length, rng):
        letters = [*word, str(rng.choice(_LETTERS)), str(rng.choice(_LETTERS))]
        places = np.sort(rng.choice(len(letters), 2, replace=False)).tolist()
        gap = ord(letters[places[1]]) - ord(letters[places[0]])
        for number, place in enumerate(places, start=1):
            letters[place] = f"<e{number}>{letters[place]}</e{number}>"
        label = "Other" if abs(gap) < APART else "Before(e1,e2)" if gap > 0 else "Before(e2,e1)"
        records.append({"text": " ".join(letters), "label": label})
    return records


def _distinct(draw: Callable[[], T], rng: np.random.Generator) -> list[T]:
    """Returns different draws, shuffled, for short texts all come early; fewer where there are not as many."""
    found: dict[T, None] = {}
    for _ in range(2 * _EVERY):
        found[draw()] = None
        if len(found) == _EVERY:
            break
    draws = list(found)
    return [draws[place] for place in rng.permutation(len(draws))]


TASKS: dict[str, tuple[int, Callable[[int, np.random.Generator], list[Record]], int]] = {  # default, make, largest
    "addition": (3, _addition, 18),
    "reversal": (20, _reversal, 1000),
    "copy": (20, _copy, 1000),
    "choice": (8, _choice, 1000),
    "similarity": (8, _similarity, 1000),
    "same": (6, _same, 1000),
    "relation": (6, _relation, 1000),
}
