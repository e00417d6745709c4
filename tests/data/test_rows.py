# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: every token of every document exactly once, whatever the layout; special tokens where they belong."""

import types

import numpy as np
import pytest

from seqjax.data.corpus import Corpus
from seqjax.data.rows import lay_out
from seqjax.data.windows import cut, first_fit
from seqjax.errors import UserError
from seqjax.objectives.clm import CLM

VOCABULARY = types.SimpleNamespace(size=100_000, pad=0, bos=2, eos=3, mask=4, word_starts=None)
LENGTHS = [5, 1, 37, 12, 0, 3, 16, 15, 2, 40, 7, 14, 13]


def corpus(lengths=LENGTHS, **extra):
    """Documents of distinct tokens 10, 11, 12, ..., so that each token names its place."""
    offsets = np.concatenate([[0], np.cumsum(np.array(lengths) + 1)])
    tokens = np.full(offsets[-1], 3, np.int32)
    names = np.setdiff1d(np.arange(offsets[-1]), offsets[1:] - 1)
    tokens[names] = 10 + np.arange(len(names))
    fields = {"label": None, "tags": None, "pair": False, "bytes": 0, "hash": ""} | extra
    return Corpus(tokens, offsets, np.array(lengths), **fields)


def all_rows(layout, framing, length=16, lookahead=0, source=None, **options):
    rows = lay_out(source or corpus(), VOCABULARY, layout, framing, length, lookahead, **options)
    return rows, [rows.row(i) for i in range(len(rows))]


@pytest.mark.parametrize("layout", ["pack", "pad", "stream"])
def test_wrapped_rows_hold_each_token_once(layout):
    _, rows = all_rows(layout, "wrapped")
    content = np.concatenate([row["tokens"][row["segments"] > 0] for row in rows])
    content = content[content >= 10]
    assert sorted(content.tolist()) == list(range(10, 10 + sum(LENGTHS)))
    for row in rows:
        for segment in range(1, row["segments"].max() + 1):
            frame = row["tokens"][row["segments"] == segment]
            assert frame[0] == 2
            assert frame[-1] == 3
            np.testing.assert_array_equal(row["positions"][row["segments"] == segment], np.arange(len(frame)))
        assert (row["tokens"][row["segments"] == 0] == 0).all()


@pytest.mark.parametrize("layout", ["pack", "pad", "stream"])
def test_causal_rows_predict_each_token_once(layout):
    _, rows = all_rows(layout, "continuous", lookahead=1)
    examples = [CLM().corrupt(row, np.random.default_rng(0), VOCABULARY) for row in rows]
    assert {len(example["tokens"]) for example in examples} == {16}
    targets = np.concatenate([example["targets"][example["weights"] > 0] for example in examples])
    content = targets[targets >= 10]
    first = 1 if layout == "stream" else 0  # nothing comes before a stream's first token
    assert sorted(content.tolist()) == list(range(10 + first, 10 + sum(LENGTHS)))
    assert (targets == 3).sum() == len(LENGTHS)
    for example in examples:  # a target is the token after it in the text
        inputs, wanted = example["tokens"], example["targets"]
        for place in np.flatnonzero((example["weights"] > 0) & (inputs >= 10) & (wanted >= 10)):
            assert wanted[place] == inputs[place] + 1


def test_packing_fills_rows_and_pad_does_not():
    packed, _ = all_rows("pack", "wrapped")
    padded, _ = all_rows("pad", "wrapped")
    assert len(packed) < len(padded)
    assert len(packed) == len(packed.widths) == len(packed.bounds) - 1


def test_a_shifted_stream_still_holds_the_text_in_order():
    rows, _ = all_rows("stream", "continuous", lookahead=1)
    assert rows.stride == 16
    text = rows.corpus.tokens
    for index in range(len(rows)):
        row = rows.row(index, shift=5)
        real = row["tokens"][row["segments"] > 0]
        np.testing.assert_array_equal(real, text[16 * index + 5 :][: len(real)])
        assert len(real) == min(17, max(len(text) - 16 * index - 5, 0))


@pytest.mark.parametrize("strips", [1, 3, 4])
def test_strips_are_read_on_from_row_to_row(strips):
    rows, each = all_rows("strips", "continuous", lookahead=1, strips=strips)
    text, places = corpus().tokens, len(each) // strips * 16
    assert rows.strips == strips
    assert places * strips > len(text) - 17 * strips
    for strip in range(strips):
        parts = each[strip::strips]
        inputs = [row["tokens"][:16][row["segments"][:16] > 0] for row in parts]
        read = np.concatenate(inputs)
        np.testing.assert_array_equal(read, text[strip * places :][: len(read)])
        positions = np.concatenate([row["positions"][:16][row["segments"][:16] > 0] for row in parts])
        np.testing.assert_array_equal(positions, np.arange(len(read)))


def test_labelled_rows_are_one_for_each_document():
    source = corpus(label=np.arange(len(LENGTHS), dtype=np.int32))
    _, made = all_rows("pad", "wrapped", whole=True, source=source)
    assert [int(row["label"]) for row in made] == list(range(len(LENGTHS)))
    for length, row in zip(LENGTHS, made, strict=True):
        assert (row["segments"] > 0).sum() == min(length, 14) + 2


@pytest.mark.parametrize("overlap", [0, 5, 100])
def test_every_tag_counts_once_with_room_around_it(overlap):
    """Documents longer than a row of 14 are read in windows; a tag counts where it is farther from the edge."""
    source = corpus(tags=np.arange(sum(LENGTHS) + len(LENGTHS), dtype=np.int32))
    rows, made = all_rows("pad", "wrapped", whole=True, source=source, overlap=overlap)
    shared = min(overlap, 7)
    counted = []
    for row, (document, start, stop) in zip(made, rows.windows.tolist(), strict=True):
        content = row["tokens"] >= 10
        places, tags = np.arange(start, stop), row["tags"][content]
        here = tags >= 0
        np.testing.assert_array_equal(tags[here], source.offsets[document] + places[here])
        assert (row["tags"][~content] == -1).all()
        if start:
            assert places[here][0] == start + shared // 2
        counted += tags[here].tolist()
    ends = source.offsets[1:] - 1
    assert counted == sorted(set(range(sum(LENGTHS) + len(LENGTHS))) - set(ends.tolist()))


def test_pairs_lose_the_longer_text_first():
    tokens = np.concatenate([np.arange(10, 20), np.arange(50, 54), [3]]).astype(np.int32)
    source = Corpus(tokens, np.array([0, 15]), np.array([10]), np.zeros(1, np.int32), None, True, 0, "")
    _, (row,) = all_rows("pad", "wrapped", length=12, whole=True, source=source)
    assert row["tokens"].tolist() == [2, 10, 11, 12, 13, 14, 3, 50, 51, 52, 53, 3]
    assert row["token_types"].tolist() == [0] * 7 + [1] * 5


def test_buckets_are_as_short_as_they_can_be():
    rows, made = all_rows("bucket", "wrapped", length=32, buckets=(8, 16))
    assert set(rows.widths.tolist()) == {8, 16, 32}
    for row in made:
        real, width = (row["segments"] > 0).sum(), len(row["tokens"])
        assert real <= width
        assert width == 8 or real > width // 2


def test_cut_against_a_loop():
    for length in range(40):
        for overlap in (0, 1, 3):
            expected, start = [], 0
            while length and (start == 0 or start + overlap < length):
                expected.append([0, start, min(start + 7, length)])
                start += 7 - overlap
            assert cut(np.array([length]), 7, overlap).tolist() == expected


def test_first_fit_never_overflows_and_reuses_open_rows(rng):
    sizes = rng.integers(1, 60, 3000)
    rows = first_fit(sizes, 64)
    load = np.bincount(rows, weights=sizes)
    assert load.max() <= 64
    assert load.mean() / 64 > 0.9
    assert first_fit([5, 5, 3, 2], 8).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(("layout", "length"), [("heap", 16), ("pack", 3)])
def test_impossible_layouts_are_refused(layout, length):
    with pytest.raises(UserError):
        all_rows(layout, "wrapped", length)


@pytest.mark.parametrize("layout", ["pack", "stream", "strips"])
def test_rows_that_begin_and_end_need_tokens_for_it(layout):
    bare = types.SimpleNamespace(**vars(VOCABULARY) | {"bos": -1})
    with pytest.raises(UserError, match=r"no begin or end token, .*; use another data.tokenizer"):
        lay_out(corpus(), bare, layout, "wrapped", 16, 0)
    if layout == "pack":
        with pytest.raises(UserError, match=r"use data.layout=stream"):
            lay_out(corpus(), bare, layout, "continuous", 16, 1)
    else:
        assert len(lay_out(corpus(), bare, layout, "continuous", 16, 1))
