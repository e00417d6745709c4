# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Texts with a pair of marked entities, "<e1>Rain</e1> fed the <e2>river</e2>", and which tokens are theirs.

Where entities stand is known from characters, never searched among tokens: a text may hold "$" and "#" anywhere.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from seqjax.data.fields import field
from seqjax.errors import UserError

MARKS = ("$", "#")  # stand around the first and the second entity in what a model reads (Wu and He 2019, section 3.2)
_MARKED = re.compile(r"(.*?)<e([12])>(.*?)</e\2>(.*?)<e([12])>(.*?)</e\5>(.*)", re.DOTALL)
_ANY_MARK = re.compile(r"</?e[12]>")


class Encoder(Protocol):
    """What this needs of a tokenizer; see `seqjax.data.tokenizers`."""

    def encode_spans(self, texts: list[str]) -> list[tuple[list[int], np.ndarray]]: ...


def plain(text: str, where: str) -> tuple[str, np.ndarray]:
    """Returns what a model reads of a marked text, and where its entities stand in there.

    The latter is int [2, 2]: of entity 1 and of entity 2 the first character and the one after the last, without the
    MARKS around it, which stand between blanks. Either entity may come first.

    Raises:
      UserError: no pair of entities, or more, or an empty one; the message begins with `where`.
    """
    found = _MARKED.fullmatch(text)
    parts = [found[group].strip() for group in (1, 3, 4, 6, 7)] if found else []
    if found is None or found[2] == found[5] or not (parts[1] and parts[3]) or any(map(_ANY_MARK.search, parts)):
        raise UserError(f"{where}: expected one <e1>...</e1> and one <e2>...</e2> in the text, found {text!r:.60}")
    first, second = int(found[2]) - 1, int(found[5]) - 1
    a, b = MARKS[first], MARKS[second]
    pieces = [piece for piece in (parts[0], a, parts[1], a, parts[2], b, parts[3], b, parts[4]) if piece]
    starts = np.cumsum([0, *(len(piece) + 1 for piece in pieces)])
    spans = np.zeros((2, 2), np.int64)
    opened = 2 if parts[0] else 1  # place of the first entity among the pieces
    for entity, place in ((first, opened), (second, opened + (4 if parts[2] else 3))):
        spans[entity] = starts[place], starts[place] + len(pieces[place])
    return " ".join(pieces), spans


def encode(tokenizer: Encoder, texts: Sequence[str], places: Sequence[str]) -> list[tuple[list[int], np.ndarray]]:
    """Returns for each marked text its ids, and int32 [ids]: 1 and 2 on those of the entities, 0 elsewhere.

    Args:
      tokenizer: by what.
      texts: with their marks.
      places: what an error about each begins with.

    Raises:
      UserError: as `plain`, or an entity of which the tokenizer makes nothing.
    """
    found = [plain(text, where) for text, where in zip(texts, places, strict=True)]
    out = []
    encoded = tokenizer.encode_spans([text for text, _ in found])
    for (ids, spans), (text, entities), where in zip(encoded, found, places, strict=True):
        members = np.zeros(len(ids), np.int32)
        for number, (start, stop) in enumerate(entities.tolist(), start=1):
            held = (spans[:, 0] < stop) & (spans[:, 1] > start)
            if not held.any():
                raise UserError(f"{where}: the tokenizer makes nothing of entity {number}, {text[start:stop]!r:.40}")
            members[held] = number
        out.append((ids, members))
    return out


def texts_of(records: Any) -> Iterator[str]:
    """Yields what a tokenizer learns from: the text of each record as a model reads it."""
    for number in range(len(records)):
        yield plain(field(records[number], number, "text"), f"record {number + 1}")[0]


def around(members: np.ndarray, offsets: np.ndarray, room: int, names: Sequence[str]) -> np.ndarray:
    """Returns the window of each document that holds both entities, as near to its middle as it can.

    Args:
      members: int [tokens]: 1 and 2 on the tokens of entities, 0 elsewhere.
      offsets: int [documents + 1]; the last token of each is the end token.
      room: most tokens of a window.
      names: how errors name each; none: by their numbers.

    Returns:
      int64 [documents, 3]: document, start, stop; the whole document where it fits.

    Raises:
      UserError: entities that are too far apart for one window.
    """
    windows = []
    for document, (begin, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        length, theirs = end - begin - 1, np.flatnonzero(members[begin:end])
        first, last = max(int(theirs[0]) - 1, 0), min(int(theirs[-1]) + 2, length)  # with the marks outside
        if last - first > room:
            where = names[document] if names else f"record {document + 1}"
            raise UserError(
                f"{where}: its two entities and the text between are {last - first} tokens, and a row has room for "
                f"{room}; set data.length={last - first + 2} or more"
            )
        start = min(max((first + last - room) // 2, 0), max(length - room, 0))
        windows.append((document, start, min(start + room, length)))
    return np.array(windows, np.int64)
