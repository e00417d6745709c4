# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences in columns, as CoNLL's shared tasks have them: a word and its tags on each line, blank lines between."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from seqjax.data.files import Row
from seqjax.errors import UserError

Word = tuple[int, str, list[str]]  # line number, the line and its columns


def conll_rows(path: Path, lines: Iterable[str], words: int, tags: int | None) -> Iterator[Row]:
    """Yields sentences, which blank lines end; columns `words` and `tags` (from 0; -1 is the last) of each line.

    Without `tags` (None) a line may be a word alone.

    Columns stand between tabs where a line has one, else between spaces. -DOCSTART- lines are left out, and before a
    sentence comments: lines that begin with "# " and have other columns than its words, or hold an "=" as in
    "# text = ..." or "# id 7 domain=news".
    """
    need = max(1, words + 1) if tags is None else max(2, words + 1, tags + 1)
    what = "a word" if tags is None else "a word and its tag"
    for sentence in _uncommented(_sentences(lines)):
        for number, line, columns in sentence:
            if len(columns) < need:
                raise UserError(f"{path}:{number}: expected {what} in {need} or more columns, found {line!r:.60}")
        found = {"words": [columns[words].strip() for _, _, columns in sentence]}
        if tags is not None:
            found["tags"] = [columns[tags].strip() for _, _, columns in sentence]
        yield sentence[0][0], found


def _sentences(lines: Iterable[str]) -> Iterator[list[Word]]:
    """Yields the lines between blank ones."""
    sentence: list[Word] = []
    for number, line in enumerate(itertools.chain(lines, [""]), 1):
        if line.strip():
            columns = line.rstrip("\t").split("\t") if "\t" in line else [part for part in line.split(" ") if part]
            sentence += [(number, line, columns)] if columns[0] != "-DOCSTART-" else []
        elif sentence:
            yield sentence
            sentence = []


def _uncommented(sentences: Iterable[list[Word]]) -> Iterator[list[Word]]:
    """Yields sentences without the comments before them; those that nothing follows are judged by another's columns."""
    width = 0
    waiting: list[list[Word]] = []  # comments alone, at the beginning of a file

    def comment(word: Word) -> bool:
        _, line, columns = word
        other = width not in (0, len(columns))
        return line.startswith("# ") and (other or "=" in columns[-1] or " = " in line)

    for sentence in itertools.chain(sentences, [[]]):
        waiting.append(sentence)
        width = next((len(columns) for _, line, columns in sentence if not line.startswith("# ")), width)
        if width or not sentence:
            left = [list(itertools.dropwhile(comment, each)) for each in waiting]
            yield from (each for each in left if each)
            waiting = []


def unplaced(path: Path, number: int, words: list[str]) -> list[str]:
    """Returns words without the digit that each ends with, the place of a character in its word."""
    if strange := next((word for word in words if len(word) < 2 or not word[-1].isdigit()), None):
        raise UserError(f"{path}:{number}: expected characters with a digit after each, found {strange!r:.60}")
    return [word[:-1] for word in words]
