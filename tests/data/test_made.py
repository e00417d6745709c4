# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Made pairs: right by another rule, and in one split only; files side by side; batches of as many places."""

import dataclasses
import difflib

import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.marked import plain
from seqjax.data.noise import noisy
from seqjax.data.pipeline import Data, Dataset, widened
from seqjax.data.sources import Source, open_split
from seqjax.errors import UserError
from seqjax.objectives.text_to_text import TextToText

SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize("spec", ["addition/3", "addition/1", "reversal/5", "copy/20"])
def test_what_is_made_is_right_and_in_one_split(spec):
    splits = [list(open_split(Source(f"made:{spec}"), split)) for split in SPLITS]
    texts = [record["text"] for records in splits for record in records]
    assert len(set(texts)) == len(texts)
    assert len(splits[0]) > 10 * len(splits[2]) > 0
    for record in splits[0][:300] + splits[2][:300]:
        text, pair = record["text"], record["pair"]
        if spec.startswith("addition"):
            assert eval(text) == int(pair)
        else:
            letters = text.split()
            assert len(letters) <= int(spec.split("/")[1])
            assert pair.split() == (letters[::-1] if spec.startswith("reversal") else letters)
    shares = [np.mean([len(record["text"]) for record in records]) for records in splits]
    assert max(shares) - min(shares) < 0.15 * max(shares)  # short ones are not all in one split
    again = open_split(Source(f"made:{spec}"), "test")
    assert list(again) == splits[2]


def test_choices_and_similarities_are_what_they_say():
    records = list(open_split(Source("made:choice/5"), "validation"))
    for record in records:
        same = [sorted(choice) == sorted(record["text"]) for choice in record["choices"]]
        assert same == [record["label"] == "0", record["label"] == "1"]
    assert 0.4 < np.mean([record["label"] == "1" for record in records]) < 0.6
    labels = []
    for record in open_split(Source("made:similarity/5"), "validation"):
        a, b = set(record["text"].split()), set(record["pair"].split())
        assert float(record["label"]) == round(5 * len(a & b) / len(a | b), 2)
        labels.append(float(record["label"]))
    assert np.std(labels) > 1 and min(labels) == 0 and max(labels) == 5


def test_the_same_letters_are_the_same():
    said = set()
    for record in open_split(Source("made:same/5"), "validation"):
        first, second = (sorted(record[name].split()) for name in ("text", "pair"))
        assert record["label"] == ("yes" if first == second else "no")
        assert len(first) == len(second)
        said.add(record["label"])
    assert said == {"yes", "no"}


def test_relations_are_what_they_say():
    labels = []
    for record in open_split(Source("made:relation/5"), "validation"):
        text, spans = plain(record["text"], "")
        assert 3 <= len([letter for letter in text.split() if letter.isalpha()]) <= 7
        gap = ord(text[spans[1, 0]]) - ord(text[spans[0, 0]])
        labels.append(record["label"])
        assert labels[-1] == ("Before(e1,e2)" if gap >= 5 else "Before(e2,e1)" if gap <= -5 else "Other")
    assert min(labels.count(label) for label in {*labels}) > 0.25 * len(labels) and len({*labels}) == 3


def test_all_of_a_small_space_is_made():
    records = [record for split in SPLITS for record in open_split(Source("made:addition/1"), split)]
    assert sorted(record["text"] for record in records) == sorted(f"{a}+{b}" for a in range(10) for b in range(10))


def test_short_numbers_are_as_common_as_long_ones():
    longest = [max(map(len, record["text"].split("+"))) for record in open_split(Source("made:addition/18"), "test")]
    # Of two numbers of 1 to 18 digits the longer has at most n with a chance of (n / 18)^2.
    assert abs(np.mean(np.array(longest) <= 9) - 0.25) < 0.04


def test_two_files_line_by_line(tmp_path):
    (tmp_path / "a.en").write_text("one\n\ntwo three\n")
    (tmp_path / "a.de").write_text("eins\n\nzwei drei\n")
    spec = f"parallel:{tmp_path}/a.en,{tmp_path}/a.de"
    found = list(open_split(Source(spec, holdout=0.0), "train"))
    assert found == [{"text": "one", "pair": "eins"}, {"text": "two three", "pair": "zwei drei"}]
    (tmp_path / "a.de").write_text("eins\n")
    with pytest.raises(UserError, match=r"a.de:1: expected as many lines as .*a.en has, 3, found 1"):
        open_split(Source(spec), "train")
    (tmp_path / "a.de").write_text("eins\nund\nzwei drei\n")
    with pytest.raises(UserError, match=r"a.en:2: expected text, .* found a blank line"):
        open_split(Source(spec), "train")
    with pytest.raises(UserError, match="expected two files"):
        open_split(Source(f"parallel:{tmp_path}/a.en"), "train")


def test_a_label_and_a_text(tmp_path):
    (tmp_path / "a.txt").write_text("1 good , really\n\n0 bad\n")
    found = list(open_split(Source(f"labelled:{tmp_path}/a.txt", holdout=0.0), "train"))
    assert found == [{"label": "1", "text": "good , really"}, {"label": "0", "text": "bad"}]
    (tmp_path / "a.txt").write_text("1\tgood , really\n")
    assert open_split(Source(f"labelled:{tmp_path}/a.txt", holdout=0.0), "train")[0]["label"] == "1"
    for line in ("0", " no label"):
        (tmp_path / "a.txt").write_text(f"1 good\n{line}\n")
        with pytest.raises(UserError, match=f"a.txt:2: expected a label, a space and a text, found '{line}'"):
            open_split(Source(f"labelled:{tmp_path}/a.txt", holdout=0.0), "train")


@pytest.mark.parametrize("ratio", [0.4, 1.0, 2.0])
def test_a_row_is_the_narrowest_that_holds_both_texts(ratio):
    objective = TextToText(ratio=ratio)
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 30, (2, 200))
    found = objective.places_needed(first, second, 40)
    for a, b, width in zip(first.tolist(), second.tolist(), found.tolist(), strict=True):
        wide = [w for w in range(41) if objective.places(w)[0] > a and objective.places(w)[1] > b]
        assert width == min(wide, default=40)


def test_noise_is_of_its_rate_and_the_same_each_time():
    clean = "".join(chr(0x4E00 + place) for place in range(3000))  # each once, for the matcher
    assert noisy(clean, 0.0, np.random.default_rng(0)) == clean
    assert noisy("a", 0.999, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    changes = [1.0 - difflib.SequenceMatcher(None, clean, noisy(clean, 0.1, rng), False).ratio() for _ in range(3)]
    assert np.mean(changes) == pytest.approx(0.1 * (0.5 + 0.5 + 1 + 1) / 4, rel=0.15)
    source = Source("made:copy/12", noise=0.3)
    first, again = (open_split(source, "validation") for _ in range(2))
    plain = open_split(Source("made:copy/12"), "validation")
    assert [first[i] for i in range(50)] == [again[i] for i in range(50)]
    assert [first[i]["pair"] for i in range(50)] == [plain[i]["text"] for i in range(50)]
    assert sum(first[i]["text"] != first[i]["pair"] for i in range(50)) > 25
    assert (
        len({each.fingerprint for each in (first, plain, open_split(Source("made:copy/12", noise=0.2), "validation"))})
        == 3
    )
    for change in ({"noise": 1.0}, {"noise": 0.1, "pair": "pair"}):
        with pytest.raises(UserError, match=r"data\.source\.noise"):
            Source(**change)


def test_relations(tmp_path):
    (tmp_path / "r.txt").write_bytes(
        b'1\t"The <e1>cause</e1> of an <e2>effect</e2>."\r\nCause-Effect(e1,e2)\r\nComment: none\r\n\r\n'
    )
    (record,) = open_split(Source(f"semeval:{tmp_path}/r.txt", holdout=0.0), "train")
    text = "The <e1>cause</e1> of an <e2>effect</e2>."
    assert record == {"text": text, "label": "Cause-Effect(e1,e2)"}
    read, spans = plain(text, "record 1")
    assert read == "The $ cause $ of an # effect # ."
    assert [read[start:stop] for start, stop in spans] == ["cause", "effect"]
    for text, message in [
        ('1\t"no nominals"\nOther\n', "r.txt:1: expected nominals"),
        ('1\t"<e1>a</e1> <e2>b</e2>"\n', "r.txt:2: expected a relation"),
    ]:
        (tmp_path / "r.txt").write_text(text)
        with pytest.raises(UserError, match=message):
            open_split(Source(f"semeval:{tmp_path}/r.txt", holdout=0.0), "train")


def test_labels_and_tags_are_converted(tmp_path):
    (tmp_path / "l.txt").write_text("DESC:manner How?\nENTY:animal What?\n")
    records = open_split(Source(f"labelled:{tmp_path}/l.txt", holdout=0.0, coarse=":"), "train")
    assert [record["label"] for record in records] == ["DESC", "ENTY"]
    (tmp_path / "c.txt").write_text("EU I-ORG\nNato B-ORG\nsays O\n")
    (record,) = open_split(Source(f"conll:{tmp_path}/c.txt", holdout=0.0, scheme="iobes"), "train")
    assert record["tags"] == ["S-ORG", "S-ORG", "O"]
    with pytest.raises(UserError, match="unknown scheme 'iob'"):
        Source(scheme="iob")


def test_buckets_of_as_many_places():
    data = Data(
        source=Source("made:copy/12", pair="pair"), tokenizer="words:30", length=16, layout="bucket", buckets=(4, 8),
        places=256, eval_batch=64,
    )  # fmt: skip
    assert data.shapes == [(4, 64), (8, 32), (16, 16)]
    objective = TextToText()
    source = open_split(data.source, "validation")
    tokenizer = tokenizers.build("words:30", lambda: [record["text"] for record in source])
    dataset = Dataset(data, objective, tokenizer, lambda split: open_split(data.source, "validation"))
    iterator = dataset.train(0)
    shapes = {next(iterator)["source"].shape for _ in range(150)}
    iterator.close()
    assert shapes == {(64, 4), (32, 8), (16, 16)}
    for batch in dataset.evaluation("validation", 0):  # nothing is cut
        for row in np.flatnonzero(batch["weights"].any(axis=1)):
            ends = [batch["source"][row][batch["source_segments"][row] > 0][-1]]
            ends.append(batch["targets"][row][batch["weights"][row] > 0][-1])
            assert ends == [tokenizer.eos] * 2
            assert batch["source_segments"][row].sum() == batch["weights"][row].sum()
    with pytest.raises(UserError, match=r"data.places is for data.layout=bucket"):
        Data(places=100)
    with pytest.raises(UserError, match=r"data.places=100 holds no data.multiple=8 rows of data.length=16"):
        dataclasses.replace(data, places=100)
    assert dataclasses.replace(data, multiple=6).shapes == [(4, 60), (8, 30), (16, 12)]


def test_places_count_where_all_rows_are_of_one_width():
    data = Data(
        source=Source("made:copy/3", pair="pair"), tokenizer="words:30", length=16, layout="bucket", buckets=(8,),
        places=256,
    )  # fmt: skip
    records = open_split(data.source, "validation")
    tokenizer = tokenizers.build("words:30", lambda: [record["text"] for record in records])
    iterator = Dataset(data, TextToText(), tokenizer, lambda split: records).train(0)
    assert {next(iterator)["source"].shape for _ in range(40)} == {(32, 8)}
    iterator.close()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((8, 8, 8), (8, 8, 8)),
        ((3, 8, 8), (0, 11, 8)),
        ((3, 2, 8), (0, 5, 8)),
        ((2, 1, 8), (0, 0, 11)),
        ((8, 8, 1), (8, 0, 9)),
        ((8, 1, 1), (8, 0, 2)),
        ((0, 8, 1), (0, 0, 9)),
    ],
)
def test_rows_that_are_too_few_for_a_batch_are_made_wider(counts, expected):
    widths = np.repeat([4, 8, 16], counts)
    sizes = {width: 6 if width == 4 else 4 if width == 8 else 2 for width in np.unique(widths).tolist()}
    found = widened(widths, sizes)
    assert tuple(np.sum(found == width) for width in (4, 8, 16)) == expected
    assert np.all(found >= widths)
    with pytest.raises(UserError, match="are no batch of 25; use a smaller one"):
        widened(widths, dict.fromkeys(sizes, 25))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("made:additon/3", "did you mean 'addition'"),
        ("made:addition/x", "'x' is not a whole number"),
        ("made:addition/19", "from 1 to 18"),
        ("made:copy@dev", "split"),
    ],
)
def test_what_cannot_be_made_is_refused(spec, message):
    with pytest.raises(UserError, match=message):
        open_split(Source(spec), "train")
