# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What stands in an earlier split too is left out where that is asked for; characters lose the digit of their place."""

import dataclasses
import json

import pytest

from seqjax.data.sources import Source, open_split
from seqjax.errors import UserError


def lines(path, texts):
    path.write_text("".join(f"{label} {text}\n" for label, text in texts))
    return f"labelled:{path}"


def test_leaks_are_left_out(tmp_path):
    train = lines(tmp_path / "train", [("a", "one"), ("b", "two"), ("a", "one")])
    validation = lines(tmp_path / "dev", [("b", "one"), ("a", "three"), ("a", "four")])  # of another label, too
    test = lines(tmp_path / "test", [("a", "two"), ("a", "three"), ("b", "five"), ("b", "five")])
    source = Source(train, validation, test, unseen=True)
    splits = ("train", "validation", "test")
    found = {split: [record["text"] for record in open_split(source, split)] for split in splits}
    assert found == {"train": ["one", "two", "one"], "validation": ["three", "four"], "test": ["five", "five"]}
    plain = dataclasses.replace(source, unseen=False)
    assert len(open_split(plain, "test")) == 4
    assert open_split(plain, "test").fingerprint != open_split(source, "test").fingerprint
    lines(tmp_path / "dev", [("a", "two")])
    with pytest.raises(UserError, match=r"every record of split 'validation' stands in train; set .*unseen=false"):
        open_split(source, "validation")


def test_characters_lose_the_digit_of_their_place(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("\u79d10\tO\n\u62801\tB-PER.NAM\n10\tO\n\n\u75280\tO\n", encoding="utf-8")
    source = Source(f"conll:{path}", holdout=0.0, placed=True)
    words = [record["words"] for record in open_split(source, "train")]
    assert words == [["\u79d1", "\u6280", "1"], ["\u7528"]]
    path.write_text("EU\tO\n")
    with pytest.raises(UserError, match=r"a.conll:1: expected characters with a digit after each, found 'EU'"):
        open_split(source, "train")


def test_choices_are_part_of_what_is_said(tmp_path):
    """A context that is asked of twice, with other choices, is no leak."""
    rows = [{"text": "a", "choices": choices, "label": "0"} for choices in (["b", "c"], ["d", "e"], ["b", "c"])]
    for name, chosen in (("train", rows[:1]), ("dev", rows[1:])):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in chosen))
    source = Source(f"jsonl:{tmp_path / 'train'}", f"jsonl:{tmp_path / 'dev'}", unseen=True)
    assert [record["choices"] for record in open_split(source, "validation")] == [["d", "e"]]
