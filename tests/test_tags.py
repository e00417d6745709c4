# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Schemes of tags: by hand, there and back again, and what may follow against every sentence that can be written."""

import itertools

import pytest

from seqjax.errors import UserError
from seqjax.tags import SCHEMES, convert, entities, follows, parts, write

SPANS = [(0, 1, "PER"), (1, 3, "PER"), (3, 4, "LOC"), (5, 8, "LOC")]
WRITTEN = {
    "iob1": "I-PER B-PER I-PER I-LOC O I-LOC I-LOC I-LOC O",
    "iob2": "B-PER B-PER I-PER B-LOC O B-LOC I-LOC I-LOC O",
    "iobes": "S-PER B-PER E-PER S-LOC O B-LOC I-LOC E-LOC O",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_written_and_read(scheme):
    assert write(SPANS, 9, scheme) == WRITTEN[scheme].split()
    assert entities(WRITTEN[scheme].split()) == SPANS
    for other in SCHEMES:
        assert convert(WRITTEN[other].split(), scheme) == WRITTEN[scheme].split()


def test_what_continues_nothing_begins():
    assert entities(["O", "I-A", "I-B", "E-B", "E-B", "S-A", "I-A"]) == [
        (1, 2, "A"), (2, 4, "B"), (4, 5, "B"), (5, 6, "A"), (6, 7, "A"),
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
def test_what_may_follow_is_what_is_ever_written(scheme):
    """Over all sentences of five words with entities of two types."""
    seen = set()
    for tags in itertools.product(("O", "I-A", "B-A", "I-B", "B-B"), repeat=5):
        sentence = ["O", *convert(tags, scheme), "O"]
        seen |= set(itertools.pairwise(sentence))
    closes = scheme == "iobes"
    tags = {tag for pair in seen for tag in pair}
    assert seen == {pair for pair in itertools.product(tags, repeat=2) if follows(*pair, closes)}


def test_strange_tags_are_refused():
    for tag in ("PER", "X-PER", "B-", "B"):
        with pytest.raises(UserError, match=f"tag '{tag}' is not O"):
            parts(tag)
    with pytest.raises(UserError, match="scheme of tags 'bio'"):
        convert(["O"], "bio")
