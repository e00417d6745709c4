# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Texts to say: several references for one text, and the turns of dialogues."""

import json

import pytest

from seqjax.data.sources import Source, open_split


def rows(spec, **settings):
    return list(open_split(Source(train=spec, holdout=0.0, **settings), "train"))


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return write


def test_a_pair_of_several_columns_is_a_record_of_each(write):
    """As DialogSum has them: one summary of each dialogue in one file, three in the other."""
    one = {"fname": "dev_0", "dialogue": "#Person1#: Hi.", "summary": "Greets."}
    three = {"fname": "test_0", "dialogue": "#Person1#: Bye.", "summary1": "x", "summary2": "y", "summary3": "z"}
    path = write("a.jsonl", json.dumps(one) + "\n" + json.dumps(three) + "\n")
    found = rows(f"jsonl:{path}", text="dialogue", pair="summary,summary1,summary2,summary3")
    assert found == [
        {"fname": "dev_0", "text": "#Person1#: Hi.", "pair": "Greets."},
        *({"fname": "test_0", "text": "#Person1#: Bye.", "pair": text} for text in "xyz"),
    ]
    path = write("b.jsonl", '{"mr": "a", "refs": ["b", "c"]}\n{"mr": "d", "refs": "e"}\n')
    found = rows(f"jsonl:{path}", text="mr", pair="refs")
    assert [(row["text"], row["pair"]) for row in found] == [("a", "b"), ("a", "c"), ("d", "e")]


def test_rows_with_one_input_are_a_record_each(write):
    """As E2E has them."""
    path = write("a.csv", 'mr,ref\n"name[A], area[b]","A is in b."\n"name[A], area[b]",In b is A.\n')
    found = rows(f"csv:{path}", text="mr", pair="ref")
    assert found == [{"text": "name[A], area[b]", "pair": pair} for pair in ("A is in b.", "In b is A.")]


@pytest.mark.parametrize("lines", [False, True])
def test_turns_of_a_dialogue_answer_those_before(write, lines):
    turns = [
        {"text": text, "act": act} for text, act in ((" Hi . ", "inform"), ("Who ?", "question"), ("Me .", "inform"))
    ]
    dialogues = [{"topic": "work", "dialogue": turns}, {"topic": "none", "dialogue": ["alone"]}]
    dialogues.append({"topic": "texts", "dialogue": ["a", "b"]})
    path = write("a.json", "\n".join(map(json.dumps, dialogues)) if lines else json.dumps(dialogues))
    found = rows(f"dialogues:{path}")
    assert found[:2] == [
        {"topic": "work", "text": "Hi .", "pair": "Who ?", "act": "question"},
        {"topic": "work", "text": "Hi .\nWho ?", "pair": "Me .", "act": "inform"},
    ]
    assert found[2:] == [{"topic": "texts", "text": "a", "pair": "b"}]
