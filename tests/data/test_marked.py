# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Texts with two marked entities: found by their characters, whatever else stands in the text, and never cut away."""

import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.corpus import tokenise, unlabelled
from seqjax.data.marked import MARKS, encode, plain
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.rows import lay_out
from seqjax.data.sources import Source, from_records, open_split
from seqjax.errors import UserError
from seqjax.objectives.supervised import Classification

TEXTS = {
    "a <e1>b c</e1> d <e2>e</e2> f": ("a $ b c $ d # e # f", "b c", "e"),
    "<e2>rain</e2><e1>bow</e1>": ("# rain # $ bow $", "bow", "rain"),
    "$ 5 # <e1> $ </e1>, # and $<e2>the # sign</e2> $": ("$ 5 # $ $ $ , # and $ # the # sign # $", "$", "the # sign"),
    "<e1>\u96e8</e1>\u4e0b\u5728<e2>\u6cb3\u91cc</e2>": ("$ \u96e8 $ \u4e0b\u5728 # \u6cb3\u91cc #", "\u96e8", "\u6cb3\u91cc"),
    "Two\nlines <e1>on</e1>\n<e2>one</e2>": ("Two\nlines $ on $ # one #", "on", "one"),
}  # fmt: skip
SPECS = ("bytes", "chars", "words:60", "wordpiece:120", "bpe:300", "unigram:40")


@pytest.mark.parametrize("text", TEXTS)
def test_a_marked_text_is_read_between_other_marks(text):
    read, spans = plain(text, "here")
    assert (read, *(read[start:stop] for start, stop in spans)) == TEXTS[text]


@pytest.mark.parametrize(
    "text",
    ["none", "<e1>a</e1> b", "<e1>a</e1> <e1>b</e1>", "<e1>a</e1> <e2> </e2>", "<e1>a <e2>b</e2></e1>", "<e1>a</e1> <e2>b",
     "<e1>a</e1> <e2>b</e2> <e2>c</e2>", "<e1>a</e2> <e2>b</e1>"],
)  # fmt: skip
def test_a_text_without_its_pair_is_refused(text):
    with pytest.raises(UserError, match=r"^record 3: expected one <e1>\.\.\.</e1> and one <e2>\.\.\.</e2> in the text"):
        plain(text, "record 3")


@pytest.mark.parametrize("spec", SPECS)
def test_tokens_of_entities(spec):
    tokenizer = tokenizers.build(spec, lambda: [plain(text, "")[0] for text in TEXTS])
    for (ids, members), (read, *entities) in zip(encode(tokenizer, list(TEXTS), [""] * 5), TEXTS.values(), strict=True):
        assert ids == tokenizer.encode(read)
        for number, entity in enumerate(entities, start=1):
            own = np.flatnonzero(members == number)
            assert own.tolist() == list(range(own[0], own[-1] + 1))
            if tokenizer.unk not in ids:
                said = tokenizer.decode([ids[place] for place in own])
                assert said.replace(" ", "") == entity.replace(" ", "")


def test_an_entity_that_is_nothing_to_the_tokenizer_is_refused():
    tokenizer = tokenizers.build("wordpiece:60", lambda: ["a b c"])
    with pytest.raises(UserError, match="record 1: the tokenizer makes nothing of entity 2, '\u0301'"):
        encode(tokenizer, ["<e1>a</e1> b <e2>\u0301</e2>"], ["record 1"])


def test_the_window_of_a_long_text_holds_both_entities():
    tokenizer = tokenizers.build("words:40", lambda: ["a $ #", *"bcdefghij"])
    texts = []
    for before in range(12):
        for between in range(6):
            inside = "b " * between
            texts.append(f"{'a ' * before}<e1>c d</e1> {inside}<e2>e</e2>{' a' * (11 - before)}")
    records = from_records([{"text": text, "label": "x"} for text in texts])
    corpus = tokenise(records, tokenizer, "relation", ["x"])
    rows = lay_out(corpus, tokenizer, "bucket", "wrapped", 16, 0, [8, 12], whole=True)
    assert len(rows) == len(texts)
    ids = [tokenizer.encode(letter)[0] for letter in "cde"]
    marks = [tokenizer.encode(mark)[0] for mark in MARKS]
    for number in range(len(rows)):
        row = rows.row(number)
        assert row["tokens"][row["entities"] == 1].tolist() == ids[:2]
        assert row["tokens"][row["entities"] == 2].tolist() == ids[2:]
        assert [np.sum(row["tokens"] == mark) for mark in marks] == [2, 2]
        assert row["tokens"][0] == tokenizer.bos and row["tokens"][row["segments"] > 0][-1] == tokenizer.eos
        assert not row["entities"][row["segments"] == 0].any()
    with pytest.raises(
        UserError, match=r"^record 5: its two entities .* are 11 tokens, .* room for 10; set data.length=13"
    ):
        lay_out(corpus, tokenizer, "pad", "wrapped", 12, 0, whole=True)
    alone = unlabelled(texts, tokenizer, "relation", texts)
    np.testing.assert_array_equal(alone.entities, corpus.entities)
    np.testing.assert_array_equal(alone.tokens, corpus.tokens)


@pytest.mark.parametrize("kind", ["jsonl", "tsv", "semeval"])
def test_marked_texts_in_files(kind, tmp_path):
    text, label = "a <e1>dog</e1> of $ 5 and a <e2>cat</e2>", "Other"
    lines = {
        "jsonl": f'{{"text": "{text}", "label": "{label}"}}\n',
        "tsv": f"text\tlabel\n{text}\t{label}\n",
        "semeval": f'1\t"{text}"\n{label}\nComment:\n',
    }
    (tmp_path / "in").write_text(lines[kind])
    source = Source(f"{kind}:{tmp_path}/in", holdout=0.0)
    tokenizer = tokenizers.build("words:30", lambda: [plain(text, "")[0]])
    objective = Classification(labels=(label,), pool="entities")
    data = Dataset(Data(source, length=16, layout="pad"), objective, tokenizer, lambda split: open_split(source, split))
    row = data.example("train", 0, 0, 0)
    for number, word in enumerate(("dog", "cat"), start=1):
        assert row["tokens"][row["entities"] == number].tolist() == tokenizer.encode(word)
    (tmp_path / "in").write_text(lines[kind].replace("<e2>cat</e2>", "cat"))
    with pytest.raises(UserError, match=r"expected .*<e1>.*<e2>"):
        data = Dataset(data.config, objective, tokenizer, lambda split: open_split(source, split)).rows("train")
