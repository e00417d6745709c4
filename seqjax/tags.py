# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Schemes of tags for entities in a sentence: read, written and converted.

    IOB1     I-X in an entity; B-X only where it follows another of its type directly (Ramshaw and Marcus 1995)
    IOB2     B-X begins each entity, I-X goes on in it (Tjong Kim Sang and Veenstra 1999)
    IOBES    as IOB2, but E-X ends an entity of several words and S-X is one of a single word

`entities` reads all three.
"""

from collections.abc import Sequence

import numpy as np

from seqjax.errors import UserError

SCHEMES = ("iob1", "iob2", "iobes")
Span = tuple[int, int, str]  # first word, word after the last, type


def in_scheme(labels: Sequence[str]) -> bool:
    """Whether all of these tags are of a scheme; parts of speech are of none."""
    return all(tag == "O" or (tag[:2] in ("B-", "I-", "E-", "S-") and len(tag) > 2) for tag in labels)


def parts(tag: str) -> tuple[str, str]:
    """Returns ("B", "PER") of "B-PER", and ("O", "") of "O".

    Raises:
      UserError: a tag of another form.
    """
    if not in_scheme([tag]):
        raise UserError(f"tag '{tag}' is not O, B-TYPE, I-TYPE, E-TYPE or S-TYPE")
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def follows(before: str, tag: str, closes: bool) -> bool:
    """Whether a tag may stand after another in IOB2 or IOBES; a sentence begins and ends as beside an O.

    Args:
      before: the tag before it.
      tag: I-X and E-X need an entity of type X that is open, after B-X or I-X.
      closes: as in IOBES what is open must go on, to its E-X.
    """
    (last, kind), (prefix, own) = parts(before), parts(tag)
    goes_on = prefix in ("I", "E") and own == kind
    is_open = last in ("B", "I")
    return goes_on if closes and is_open else (goes_on and is_open) or prefix not in ("I", "E")


def closing(labels: Sequence[str]) -> bool:
    """Whether these tags are of a scheme, IOBES, in which an entity is closed."""
    return any(parts(tag)[0] in ("E", "S") for tag in labels)


def may_follow(labels: Sequence[str]) -> np.ndarray:
    """Returns which tag j (column) may stand after tag i (row), bool [K + 1, K + 1]; the last of each is no tag.

    So the last row says what may begin a sentence, and the last column what may end one.
    """
    closes, every = closing(labels), [*labels, "O"]
    return np.array([[follows(before, tag, closes) for tag in every] for before in every])


def entities(tags: Sequence[str]) -> list[Span]:
    """Returns the entities of a sentence; an I or E that continues nothing of its type begins one, as in conlleval."""
    found: list[Span] = []
    start, current = 0, ""
    for place, tag in enumerate((*tags, "O")):  # the O closes what is open at the end
        prefix, kind = parts(tag)
        if not (prefix in ("I", "E") and kind == current):
            if current:
                found.append((start, place, current))
            start, current = place, kind
        if prefix in ("E", "S"):
            found.append((start, place + 1, kind))
            current = ""
    return found


def write(spans: Sequence[Span], length: int, scheme: str) -> list[str]:
    """Returns the tags of a sentence of `length` words that holds these entities, in order.

    Raises:
      UserError: an unknown scheme.
    """
    if scheme not in SCHEMES:
        raise UserError(f"scheme of tags '{scheme}' is not one of {', '.join(SCHEMES)}")
    tags = ["O"] * length
    for number, (start, stop, kind) in enumerate(spans):
        tags[start:stop] = [f"I-{kind}"] * (stop - start)
        beside = number > 0 and spans[number - 1][1:] == (start, kind)
        if scheme != "iob1" or beside:
            tags[start] = f"B-{kind}"
        if scheme == "iobes":
            tags[stop - 1] = f"{'S' if stop - start == 1 else 'E'}-{kind}"
    return tags


def convert(tags: Sequence[str], scheme: str) -> list[str]:
    """Returns the tags of a sentence in another scheme."""
    return write(entities(tags), len(tags), scheme)
