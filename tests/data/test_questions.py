# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions: SQuAD's JSON, offsets that are wrong, and windows in which no token and no answer is lost."""

import gzip
import itertools
import json

import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.corpus import tokenise, unlabelled
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.questions import NO_ANSWER, UNKNOWN, located
from seqjax.data.rows import lay_out
from seqjax.data.sources import Source, from_records, open_split
from seqjax.errors import UserError
from seqjax.objectives.question_answering import QuestionAnswering

CONTEXT = "Zoë has 3 cats; the cats have names.\nOne cat is  'Ångström', one is 猫. "
TEXTS = ["cats", "3 cats", "Zoë", "'Ångström'", "猫", "cat is  'Å", CONTEXT.strip(), "names"]
SPECS = ["bytes", "chars", "bpe:300", "wordpiece:120", "unigram:90"]


def record(*answers, question="Who?", context=CONTEXT):
    return {
        "text": question,
        "pair": context,
        "answers": [{"text": text, "answer_start": start} for text, start in answers],
    }


def squad(*paragraphs):
    return {
        "version": "v2.0",
        "data": [{"title": "t", "paragraphs": [{"context": c, "qas": qas} for c, qas in paragraphs]}],
    }


def test_both_versions_are_read_with_a_mark_zipped_and_from_several_files(tmp_path):
    answer = {"text": "b", "answer_start": 2}
    first = squad(("a b", [{"id": "1", "question": "q?", "answers": [answer]}]), ("c", []))
    second = squad(("d", [{"id": "2", "question": "r?", "answers": [], "is_impossible": True}]))
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(first).encode())
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(second, indent=1).encode()))
    found = list(open_split(Source(f"squad:{tmp_path}/*.json*", holdout=0.0), "train"))
    assert found == [
        {"id": "1", "text": "q?", "pair": "a b", "answers": [answer]},
        {"id": "2", "text": "r?", "pair": "d", "answers": []},
    ]


@pytest.mark.parametrize(
    ("answers", "offsets", "place", "wrong"),
    [
        ([("cats", 10)], "refuse", (10, 14), 0),
        ([], "refuse", (NO_ANSWER, NO_ANSWER), 0),
        ([("cats", 11)], "find", (10, 14), 1),
        ([("cats", 18)], "find", (20, 24), 1),
        ([("cats", 900)], "find", (20, 24), 1),
        ([("cats", -5)], "find", (10, 14), 1),
        ([("dogs", 3)], "find", (UNKNOWN, UNKNOWN), 1),
        ([("dogs", 3), ("Zoë", 0)], "find", (0, 3), 1),
        ([("cats", 11)], "drop", (UNKNOWN, UNKNOWN), 1),
        ([("cats", 11), ("cats", 20), ("Zoë", 1)], "drop", (20, 24), 2),
        ([(" ", 3)], "find", (UNKNOWN, UNKNOWN), 1),
    ],
)
def test_offsets(answers, offsets, place, wrong):
    assert located(record(*answers), offsets, "here") == (place, wrong)
    columns = {"text": [text for text, _ in answers], "answer_start": np.array([start for _, start in answers])}
    assert located(record() | {"answers": columns}, offsets, "here") == (place, wrong)
    if wrong:
        with pytest.raises(UserError, match=r"here: answer .* does not stand at character -?\d+ of its context"):
            located(record(*answers), "refuse", "here")


def test_wrong_offsets_are_counted_and_said(capsys):
    records = from_records([record(("cats", 10)), record(("cats", 11)), record(("dogs", 0), ("cats", 9)), record()])
    for offsets, expected in (("find", [1, 1, 1, 0]), ("drop", [1, 0, 0, 0])):
        objective = QuestionAnswering(offsets=offsets, no_answer=True)
        data = Dataset(Data(length=96, layout="pad"), objective, tokenizers.build("bytes", list), lambda _: records)
        rows = data.rows("train")
        assert rows.corpus.wrong_offsets == 3
        assert capsys.readouterr().err == (
            f"split 'train': 3 answers do not stand at their offset; objective.offsets={offsets}\n"
        )
        examples = [data.example("train", 0, 0, i) for i in range(4)]
        assert [int(each["answer_start"] > 0) for each in examples] == expected
        assert [float(each["answer_weight"]) for each in examples] == [*map(float, expected[:3]), 1.0]


@pytest.mark.parametrize("spec", SPECS)
def test_an_answer_is_held_by_its_tokens_and_by_no_fewer(spec):
    tokenizer = tokenizers.build(spec, lambda: [CONTEXT] * 5)
    records = [
        record((text, place)) for text in TEXTS for place in range(len(CONTEXT)) if CONTEXT.startswith(text, place)
    ]
    corpus = tokenise(from_records(records), tokenizer, "answers")
    for i, each in enumerate(records):
        begin = corpus.offsets[i] + corpus.first[i]
        first, last = corpus.answers[i]
        (answer,) = each["answers"]
        start, stop = answer["answer_start"], answer["answer_start"] + len(answer["text"])
        inside = corpus.spans[begin + first : begin + last + 1]
        assert inside[0, 0] <= start < inside[0, 1]
        assert inside[-1, 0] < stop <= inside[-1, 1]
        if spec in ("bytes", "chars"):
            assert CONTEXT[inside[0, 0] : inside[-1, 1]] == answer["text"]


@pytest.mark.parametrize(("length", "overlap", "limit"), list(itertools.product([12, 17, 40, 96], [0, 5, 99], [3, 64])))
def test_windows_hold_every_token_and_answers_where_they_are_whole(length, overlap, limit):
    tokenizer = tokenizers.build("bytes", list)
    records = [record((text, CONTEXT.index(text)), question="q" * asked) for text in TEXTS for asked in (1, 9, 70)] + [
        record(question="", context=""),
        record(context="a"),
    ]
    corpus = tokenise(from_records(records), tokenizer, "answers")
    rows = lay_out(corpus, tokenizer, "pad", "wrapped", length, 0, whole=True, overlap=overlap, question=limit)
    seen = [[] for _ in records]
    held = [0] * len(records)
    for i in range(len(rows)):
        document, start, stop = rows.windows[i].tolist()
        row, at = rows.row(i), rows.context_at(document)
        seen[document].append((start, stop))
        asked = min(corpus.first[document], limit, (length - 3) // 2)
        begin = corpus.offsets[document]
        frame = [2, *corpus.tokens[begin : begin + asked], 3]
        frame += [*corpus.tokens[begin + corpus.first[document] :][start:stop], 3]
        assert row["tokens"].tolist() == frame + [0] * (length - len(frame))
        assert row["segments"].sum() == len(frame)
        assert row["token_types"].tolist() == [0] * at + [1] * (len(frame) - at) + [0] * (length - len(frame))
        assert row["answer_places"].tolist() == [
            int(place == 0 or at <= place < at + stop - start) for place in range(length)
        ]
        first, last = row["answer"]
        if first or last:
            held[document] += 1
            inside = tokenizer.decode(row["tokens"][first : last + 1])
            assert inside == records[document]["answers"][0]["text"]
    for i, windows in enumerate(seen):
        size = corpus.lengths[i] - corpus.first[i]
        assert windows[0][0] == 0
        assert windows[-1][1] == size
        for (_, stop), (start, _) in itertools.pairwise(windows):
            assert 0 <= stop - start == min(overlap, (length - 3 - min(corpus.first[i], limit, (length - 3) // 2)) // 2)
        first, last = corpus.answers[i]
        assert held[i] == sum(start <= first and last < stop for start, stop in windows) * bool(records[i]["answers"])


def test_questions_without_answers_are_the_same_tokens():
    tokenizer = tokenizers.build("bpe:300", lambda: [CONTEXT] * 5)
    asked = unlabelled([("Who?", CONTEXT), ("", "x")], tokenizer, "answers", ["", ""])
    labelled = tokenise(from_records([record(), record(question="", context="x")]), tokenizer, "answers")
    for name in ("tokens", "offsets", "first", "answers", "spans"):
        np.testing.assert_array_equal(getattr(asked, name), getattr(labelled, name))
