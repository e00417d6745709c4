# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sources: what each kind of file gives, what each kind of damage says, and how splits are held out."""

import codecs
import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seqjax import config
from seqjax.data.files import lines
from seqjax.data.phrased import Phrasing
from seqjax.data.sources import Source, from_records, open_split
from seqjax.errors import UserError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        data = content.encode("utf-8") if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def rows(spec: str, split: str = "train", **settings) -> list[dict]:
    return list(open_split(Source(train=spec, **({"holdout": 0.0} | settings)), split))


# Reading.


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
@pytest.mark.parametrize("written", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_a_byte_order_mark_says_what_a_file_is_and_is_no_text(write: Write, written: str, encoding: str):
    text = "text\tlabel\nwe sang\tyes\n" if written == "utf-8-sig" else "text\tlabel\n北京 é\tyes\n"
    if (written, encoding) == ("utf-8-sig", "utf-16"):
        pytest.skip("this mark and this setting contradict each other")
    data = text.encode(written)
    if written == "utf-16-be":
        data = codecs.BOM_UTF16_BE + data
    for name in ("a.tsv", "a.tsv.gz"):
        path = write(name, data)
        wanted = {"text": text.split("\n")[1].split("\t")[0], "label": "yes"}
        assert rows(f"tsv:{path}", encoding=encoding) == [wanted]
        assert list(lines(path, encoding)) == text.splitlines()


@pytest.mark.parametrize("written", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_recognised(write: Write, written: str):
    path = write("a.txt", "we sang\n".encode(written))
    message = rf"a.txt:1: expected text, found zero bytes; if it is UTF-16 set data.source.encoding={written}"
    for encoding in ("utf-8", "latin-1"):
        with pytest.raises(UserError, match=message):
            rows(f"text:{path}", encoding=encoding)
        with pytest.raises(UserError, match=message):
            list(lines(path, encoding))
    assert rows(f"text:{path}", encoding=written) == [{"text": "we sang\n"}]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("aaabbb", "validation lacks 'a'"),
        ("aababa", ""),
        ("aaaabc", "validation lacks 'a' and train lacks 'b', 'c'"),
        ("123456", "validation lacks '1', '2', '3', '4' and train lacks '5', '6'"),
        (["0.5", "1.0", "2.0", "3.0", "4.0", "4.5"], ""),
    ],
)
def test_a_sorted_file_that_is_held_out_from_is_warned_of(write: Write, capsys, labels, said: str):
    path = write("a.tsv", "text\tlabel\n" + "".join(f"x\t{label}\n" for label in labels))
    for _ in range(2):
        for split in ("train", "validation"):
            open_split(Source(f"tsv:{path}", holdout=0.3), split)
    wanted = f"a.tsv: its end is held out for validation, and {said}; shuffle its lines, or name files with "
    assert capsys.readouterr().err.count(wanted if said else "warning") == (1 if said else 0)


def test_each_kind_gives_the_same_record(write: Write):
    record = {"text": "a b", "pair": "c", "label": "yes", "id": "7"}
    write("a.jsonl", json.dumps(record) + "\n")
    write("a.tsv", "text\tpair\tlabel\tid\na b\tc\tyes\t7\n")
    write("a.csv", "text,pair,label,id\na b,c,yes,7\n")
    folder = write("unused", "").parent
    for kind in ("jsonl", "tsv", "csv"):
        assert rows(f"{kind}:{folder}/a.{kind}") == [record]


def test_columns_are_renamed_and_others_pass_through(write: Write):
    path = write("a.tsv", "Quality\t#1\t#2\tid\n1\tleft\tright\t9\n")
    found = rows(f"tsv:{path}", text="#1", pair="#2", label="Quality")
    assert found == [{"text": "left", "pair": "right", "label": "1", "id": "9"}]


def test_without_a_header_columns_have_numbers(write: Write):
    path = write("a.tsv", "x1\t0\t\tThey sang.\nx2\t1\t*\tSang they.\n")
    found = rows(f"tsv:{path}", header=False, text="3", label="1")
    assert found[1] == {"text": "Sang they.", "label": "1", "0": "x2", "2": "*"}


def test_tsv_has_no_quoting_and_csv_has(write: Write):
    tsv = write("a.tsv", 'text\tlabel\n"open\t1\nclose"\t0\n')
    assert [row["text"] for row in rows(f"tsv:{tsv}")] == ['"open', 'close"']
    csv = write("a.csv", 'text,label\n"one, ""two""\nthree",1\n' + "y" * 200_000 + ",0\n")
    assert [row["text"] for row in rows(f"csv:{csv}")] == ['one, "two"\nthree', "y" * 200_000]


def test_labels_of_json_keep_what_was_written_and_null_is_absent(write: Write):
    path = write(
        "a.jsonl", '{"text": "a", "label": 3.8}\n\n{"text": "b", "label": true}\n{"text": "c", "label": null}\n'
    )
    assert [row.get("label") for row in rows(f"jsonl:{path}")] == ["3.8", "true", None]


def test_json_words_and_tags(write: Write):
    path = write("a.jsonl", json.dumps({"tokens": ["a", "b"], "ner": ["O", "B-X"]}) + "\n")
    assert rows(f"jsonl:{path}", words="tokens", tags="ner") == [{"words": ["a", "b"], "tags": ["O", "B-X"]}]


def test_conll_takes_first_and_last_column_and_leaves_out_docstart(write: Write):
    path = write("a", "-DOCSTART- -X- O\n\nEU NNP I-ORG\nrejects VBZ O\n\n\nGermany NNP I-LOC")
    first, second = rows(f"conll:{path}")
    assert first == {"words": ["EU", "rejects"], "tags": ["I-ORG", "O"]}
    assert second == {"words": ["Germany"], "tags": ["I-LOC"]}
    assert rows(f"conll:{path}", tags="1")[0]["tags"] == ["NNP", "VBZ"]


def test_conll_leaves_out_comments_before_a_sentence(write: Write):
    multiconer = "# id 5628c4 domain=train\nEU _ _ B-ORG\nrejects _ _ O\n\n# id 7f3\tdomain=train\n# _ _ O\n1 _ _ O\n"
    found = rows(f"conll:{write('a', multiconer)}")
    assert [row["words"] for row in found] == [["EU", "rejects"], ["#", "1"]]
    universal = "# newdoc\n# text = EU rejects\n1\tEU\tPROPN\n2\trejects\tVERB\n\n# text = a = b\n1\ta\tX\n"
    found = rows(f"conll:{write('b', universal)}", words="1", tags="2")
    assert found == [{"words": ["EU", "rejects"], "tags": ["PROPN", "VERB"]}, {"words": ["a"], "tags": ["X"]}]
    head = "# made by hand, in May\n# of 2020\n\nEU O\n\n# the second part\n\nrejects O\n"
    assert [row["words"] for row in rows(f"conll:{write('c', head)}")] == [["EU"], ["rejects"]]


def test_a_hash_with_as_many_columns_as_the_others_is_a_word_of_conll(write: Write):
    path = write("a", "# O\n1 B-NO\n\n# O\n\nnumber O\n# O\n# 1 2 O\n\n#0\tO\n\n#\tO\n# O\n")
    wanted = [["#", "1"], ["#"], ["number", "#", "#"], ["#0"], ["#", "#"]]
    assert [row["words"] for row in rows(f"conll:{path}")] == wanted
    path = write("b", "# # B-NP O\n1 CD I-NP O\n\n# # B-NP O\n")
    found = rows(f"conll:{path}", tags="2")
    assert found == [{"words": ["#", "1"], "tags": ["B-NP", "I-NP"]}, {"words": ["#"], "tags": ["B-NP"]}]


def test_semeval_takes_comments_and_blank_lines_or_none(write: Write):
    one, two = ('"The <e1>dog</e1> of a <e2>cat</e2>."', '"An <e1>a</e1> in <e2>b</e2>"')
    path = write(
        "a", f"\n1\t{one}\r\nOther\r\nComment: why\r\n\r\n\r\n2\t{two} \nMember-Collection(e1,e2) \n3\t{one}\nOther"
    )
    found = rows(f"semeval:{path}")
    assert [row["label"] for row in found] == ["Other", "Member-Collection(e1,e2)", "Other"]
    assert [row["text"] for row in found] == [one[1:-1], two[1:-1], one[1:-1]]


def test_conll_columns_between_tabs_may_hold_blanks(write: Write):
    path = write("a", "New York\tB-LOC\n\u3000\tO\n")
    assert rows(f"conll:{path}") == [{"words": ["New York", ""], "tags": ["B-LOC", "O"]}]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("file", ["one\ntwo\u2028still two\n\n \nthree\n"]),
        ("line", ["one", "two\u2028still two", "three"]),
        ("paragraph", ["one\ntwo\u2028still two", "three"]),
    ],
)
def test_text_units(write: Write, unit: str, expected: list[str]):
    path = write("a.txt", "one\r\ntwo\u2028still two\r\n\r\n \r\nthree\r\n")
    assert [row["text"] for row in rows(f"text:{path}", unit=unit)] == expected


@pytest.mark.parametrize("kind", ["text", "jsonl", "tsv", "csv", "conll"])
def test_gzip_and_byte_order_mark_change_nothing(write: Write, kind: str):
    content = {
        "text": "naïve\n",
        "jsonl": '{"text": "naïve"}\n',
        "tsv": "text\tlabel\nnaïve\t1\n",
        "csv": "text,label\nnaïve,1\n",
        "conll": "naïve O\n",
    }[kind]
    plain = write("plain", content)
    marked = write("marked.gz", b"\xef\xbb\xbf" + content.encode("utf-8"))
    assert "naïve" in str(rows(f"{kind}:{plain}"))
    assert rows(f"{kind}:{marked}") == rows(f"{kind}:{plain}")


def test_a_task_is_said_in_words(write: Write):
    """The examples of Raffel et al. 2020, appendix D, and section 2.4 for numbers."""
    path = write("a.tsv", "Quality\t#1 String\t#2 String\n1\tHe {ran}.\tHe did.\n0\tHe ran.\tNo.\n2\tA\tB\n")
    columns = {"label": "Quality", "text": "#1 String", "pair": "#2 String"}
    template = "mrpc sentence1: {text} sentence2: {pair}"
    answers = ("0=not_equivalent", "1=equivalent")
    found = rows(f"tsv:{path}", task=Phrasing(template, answers), **columns)
    assert found[0] == {
        "text": "mrpc sentence1: He {ran}. sentence2: He did.", "pair": "equivalent", "label": "1",
    }  # fmt: skip
    assert [row["pair"] for row in found] == ["equivalent", "not_equivalent", "2"]
    numbers = write("b.tsv", "text\tlabel\n" + "".join(f"x\t{n}\n" for n in ("3.25", "5", "0.0", "2.57", "4.699")))
    found = rows(f"tsv:{numbers}", task=Phrasing("stsb {text}", step=0.2))
    assert [row["pair"] for row in found] == ["3.2", "5.0", "0.0", "2.6", "4.6"]
    plain, other = (open_split(Source(f"tsv:{numbers}", task=Phrasing(text, step=0.2)), "train") for text in ("a", "b"))
    assert plain.fingerprint != other.fingerprint and pickle.loads(pickle.dumps(plain))[0] == plain[0]
    for task, settings, message in [
        (("a {texts}", (), 0.2), {}, r"record 1 has no text 'texts' \(it has text, label\)"),
        (("", ("0=no",)), {}, "set .template"),
        (("a", ("no",)), {}, "expected LABEL=ANSWER, found 'no'"),
        (("a",), {"noise": 0.1}, "leave one out"),
    ]:
        with pytest.raises(UserError, match=message):
            rows(f"tsv:{numbers}", task=Phrasing(*task), **settings)
    bare, words = write("d.tsv", "text\nx\n"), write("c.tsv", "text\tlabel\nx\tmany\n")
    with pytest.raises(UserError, match="record 1 has no label to be an answer"):
        rows(f"tsv:{bare}", task=Phrasing("{text}"))
    with pytest.raises(UserError, match="record 1: expected a number for the label, found 'many'"):
        rows(f"tsv:{words}", task=Phrasing("{text}", step=0.2))


def test_latin_1_is_read_when_it_is_named(write: Write):
    path = write("a.txt", "déjà vu\n".encode("latin-1"))
    assert rows(f"text:{path}", encoding="latin-1") == [{"text": "déjà vu\n"}]


def test_globs_are_sorted_and_taken_in_order_without_repeats(write: Write):
    for name in ("b.txt", "a.txt", "c.md", "d,e.md"):
        write(name, name)
    folder = write("z.md", "z.md").parent
    found = rows(f"text:{folder}/*.txt, {folder}/z.md,{folder}/[abc].*")
    assert [row["text"] for row in found] == ["a.txt", "b.txt", "z.md", "c.md"]
    assert rows(f"text:{folder}/d,e.md") == [{"text": "d,e.md"}]


def test_a_chosen_column_replaces_one_of_the_same_name(write: Write):
    path = write(
        "a.jsonl", '{"text": "a", "label": "old", "topic": "new"}\n{"text": "b", "label": "old", "topic": null}\n'
    )
    assert rows(f"jsonl:{path}", label="topic") == [{"text": "a", "label": "new"}, {"text": "b"}]


# Splits.


def test_holdout_is_the_last_fraction_and_the_parts_make_the_whole(write: Write):
    path = write("a.txt", "".join(f"{number}\n" for number in range(40)))
    source = Source(train=f"text:{path}", unit="line", holdout=0.1)
    train, held = (list(open_split(source, split)) for split in ("train", "validation"))
    assert [row["text"] for row in held] == ["36", "37", "38", "39"]
    assert train + held == rows(f"text:{path}", unit="line")


def test_whole_files_are_held_out_too(write: Write):
    paths = ",".join(str(write(f"{name}.txt", name)) for name in "abcd")
    source = Source(train=f"text:{paths}", holdout=0.25)
    train, held = ([row["text"] for row in open_split(source, split)] for split in ("train", "validation"))
    assert (train, held) == (["a", "b", "c"], ["d"])


def test_a_single_text_is_cut_by_characters(write: Write):
    text = "".join(f"{number} " for number in range(400))
    source = Source(train=f"text:{write('a.txt', text)}", holdout=0.25)
    (train,), (held,) = (list(open_split(source, split)) for split in ("train", "validation"))
    assert train["text"] + held["text"] == text
    assert len(held["text"]) == round(len(text) * 0.25)


def test_a_validation_file_of_its_own_leaves_train_whole(write: Write):
    train, other = write("a.txt", "1\n2\n3\n"), write("b.txt", "4\n")
    source = Source(train=f"text:{train}", validation=f"text:{other}", test=f"text:{other}", unit="line", holdout=0.5)
    assert [len(open_split(source, split)) for split in ("train", "validation", "test")] == [3, 1, 1]


def test_whole_files_are_read_only_when_asked_for(write: Write):
    first = write("a.txt", "old")
    records = open_split(Source(train=f"text:{first},{write('b.txt', 'b')}", holdout=0.0), "train")
    first.write_text("new")
    assert records[0] == {"text": "new"}


# Records.


def test_records_are_a_sequence_and_pickle(write: Write):
    records = open_split(Source(train=f"text:{write('a.txt', 'x')},{write('b.txt', 'y')}", holdout=0.0), "train")
    copy = pickle.loads(pickle.dumps(records))
    assert list(copy) == [{"text": "x"}, {"text": "y"}]
    assert copy[-1] == {"text": "y"}
    assert copy.fingerprint == records.fingerprint
    with pytest.raises(IndexError, match="2 of 2"):
        copy[2]


def test_changing_a_returned_record_leaves_the_source_alone():
    records = from_records([{"text": "a"}])
    records[0]["text"] = "b"
    assert records[0] == {"text": "a"}


def test_fingerprint_follows_content_columns_and_part(write: Write):
    path = write("a.tsv", "text\tother\nx\ty\nz\tw\n")
    source = Source(train=f"tsv:{path}", holdout=0.5)
    prints = [open_split(source, "train").fingerprint, open_split(source, "validation").fingerprint]
    prints.append(open_split(Source(train=f"tsv:{path}", holdout=0.5, text="other"), "train").fingerprint)
    assert open_split(source, "train").fingerprint == prints[0]
    path.write_text("text\tother\nx\ty\nz\tv\n\n")
    prints.append(open_split(source, "train").fingerprint)
    assert len(set(prints)) == 4


def test_fingerprint_in_memory_is_of_the_content():
    first, same, other = (from_records([{"text": text}]).fingerprint for text in ("a", "a", "b"))
    assert first == same != other


# Errors: each is one line that says where, what was expected and what was found.

MARKED = '"The <e1>dog</e1> of a <e2>cat</e2>."'
MALFORMED = [
    ("jsonl", '{"text": "a"}\n{"text": \n', {}, r":2: expected one JSON object, found .*column 10"),
    ("jsonl", '["a"]\n', {}, r":1: expected one JSON object, found '\[\"a\"\]'"),
    ("jsonl", "[" * 100_000 + "\n", {}, r":1: expected one JSON object"),
    ("jsonl", '{"text": 3}\n', {}, r":1: expected text for the text, found 3"),
    (
        "jsonl",
        '{"text": "a", "pair": []}\n',
        {},
        r":1: expected a text for the pair in pair, found none \(it has text, pair\)",
    ),
    ("jsonl", '{"text": "a", "pair": [3]}\n', {}, r":1: expected text for the pair, found 3"),
    ("jsonl", '{"text": "a"}\n', {"pair": "x,y"}, r":1: expected a text for the pair in x or y, found none"),
    ("dialogues", "[{]", {}, r":1: expected a list of dialogues in JSON, found"),
    ("dialogues", "[3]", {}, r":1: expected a dialogue as an object, found 3"),
    ("dialogues", '{"text": "a"}\n', {}, r":1: expected a list of turns as 'dialogue', found text"),
    ("dialogues", '[{"dialogue": ["a", ""]}]', {}, r":1: expected turns with a text each, found \"\""),
    ("jsonl", '{"text": "a", "label": [1]}\n', {}, r":1: expected text for the label, found \[1\]"),
    ("jsonl", '{"txt": "a"}\n', {}, r":1: expected column 'text' for the text, found txt; .*did you mean 'txt'"),
    ("jsonl", '{"words": ["a", 1]}\n', {}, r":1: expected a list of texts for the words"),
    ("jsonl", '{"words": ["a", "b"], "tags": ["O"]}\n', {}, r":1: expected one tag for each of the 2 words, found 1"),
    ("tsv", "text\tlabel\na\t1\nb\n", {}, r":3: expected 2 columns \(text, label\), found 1"),
    (
        "tsv",
        "a\ta\n1\t2\n",
        {},
        r":1: expected a different name for each column, found 'a' more than once.*header=false",
    ),
    ("tsv", "text\nx\n", {"label": "lable"}, r":2: expected column 'lable' for the label, found text"),
    ("tsv", "text\nx\n", {"pair": "other"}, r":2: expected column 'other' for the pair"),
    ("csv", 'text,label\na,1\n"b\n\n,1\n', {}, r":3: expected comma-separated fields, found unexpected end of data"),
    ("csv", 'text,label\n"a\nb",1\nc\n', {}, r":4: expected 2 columns \(text, label\), found 1"),
    ("conll", "EU I-ORG\nrejects\n", {}, r":2: expected a word and its tag in 2 or more columns, found 'rejects'"),
    ("conll", "EU X I-ORG\nrejects O\n", {"tags": "2"}, r":2: expected .* 3 or more columns, found 'rejects O'"),
    ("conll", "EU O\n", {"tags": "ner"}, r"data.source.tags: expected the number of a column .*found 'ner'"),
    ("conll", "# a = b\n", {}, r":1: expected at least one record"),
    ("semeval", f"1  {MARKED}\nOther\n", {}, r":1: expected a number, a tab and a text in quotes, found '1 \""),
    ("semeval", f"1\t{MARKED}\nOther\n\n2  {MARKED}\nOther\n", {}, r":4: expected a number, a tab and a text"),
    ("semeval", f"1\t{MARKED}\nOther\nno comment\n", {}, r":3: expected a number, a tab .*, found 'no comment'"),
    ("semeval", f"1\t{MARKED}\n2\t{MARKED}\nOther\n", {}, r":2: expected a relation, missing .*, found '2"),
    ("semeval", f"1\t{MARKED}\nComment:\n", {}, r":2: expected a relation, missing .*, found 'Comment:'"),
    ("semeval", f"1\t{MARKED}\n\nOther\n", {}, r":2: expected a relation, missing after its sentence, found ''"),
    ("semeval", f"1\t{MARKED}", {}, r":2: expected a relation, missing after its sentence, found ''"),
    ("text", b"fine\nd\xe9j\xe0\n", {}, r":2: expected utf-8 text, found byte 0xe9 at byte 6.*encoding=latin-1"),
    ("text", "", {}, r":1: expected text, found an empty file"),
    ("text", " \n", {}, r":1: expected text, found an empty file"),
    ("text", " \n", {"unit": "line"}, r":1: expected at least one record, found none"),
    ("tsv", "text\tlabel\n", {}, r":1: expected at least one record, found none"),
    ("conll", "-DOCSTART- O\n\n", {}, r":1: expected at least one record, found none"),
    ("text", "one\n", {"unit": "line", "holdout": 0.5}, r"expected at least 2 records.*data.source.validation="),
    ("text", "x", {"holdout": 0.5}, r":1: expected enough text"),
    ("text", "x", {"unit": "word"}, r"unknown unit 'word'"),
    ("text", "x", {"encoding": "latin1000"}, r"unknown encoding 'latin1000'"),
    ("text", "x", {"holdout": 1.0}, r"data.source.holdout: expected a fraction"),
]


@pytest.mark.parametrize(("kind", "content", "settings", "message"), MALFORMED)
def test_what_is_malformed_is_said_in_one_line(
    write: Write, kind: str, content: str | bytes, settings: dict, message: str
):
    path = write("bad.file", content)
    with pytest.raises(UserError, match=message) as error:
        rows(f"{kind}:{path}", **settings)
    if message.startswith(":"):
        assert str(error.value).startswith(f"{path}:")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spec", "split", "message"),
    [
        ("text:{}/none-*.txt", "train", r"no file matches '.*none-\*.txt'"),
        ("text:{}", "train", r"no file matches .*; it is a folder, write '.*/\*'"),
        ("text:{}/a.txt,", "train", r"found nothing"),
        ("txt:{}/a.txt", "train", r"unknown kind 'txt'; did you mean 'text'"),
        ("{}/a.txt", "train", r"is not a data source; write"),
        ("text:", "train", r"is not a data source; write"),
        ("stdlib/doc", "train", r"unknown dataset 'doc'; did you mean 'docs'"),
        ("text:{}/a.txt", "test", r"no test split: .*data.source.test="),
        ("text:{}/a.txt", "validation", r"data.source.holdout is 0 and data.source.validation is not set"),
        ("text:{}/a.txt", "train[:10%]", r"files have no split 'train\[:10%\]'"),
        ("text:{}/plain.gz", "train", r"plain.gz:1: expected gzip data"),
        ("text:{}/short.gz", "train", r"short.gz:1: expected gzip data"),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_line(write: Write, spec: str, split: str, message: str):
    folder = write("a.txt", "text").parent
    (folder / "plain.gz").write_bytes(b"not gzipped")
    (folder / "short.gz").write_bytes(gzip.compress(b"text" * 100)[:-9])
    with pytest.raises(UserError, match=message):
        rows(spec.format(folder), split)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "at least one record"),
        (["text"], "record 0: expected a dict"),
        ([{"text": "a"}, {"words": ["a"], "tags": []}], "record 1: expected one tag for each of the 1 words, found 0"),
        ([{"text": "a"}, {"text": None}], "record 1: expected text for the text, found None; leave out 'text'"),
        ([{"text": 3}], "record 0: expected text for the text, found 3"),
        ([{"text": ["a", "b"]}], r"record 0: expected text for the text, found \['a', 'b'\]"),
        ([{"text": "a", "pair": None}], "record 0: expected text for the pair, found None; leave out 'pair'"),
        ([{"text": "a", "pair": ["b", 3]}], "record 0: expected text for the pair, found 3"),
        ([{"text": "a", "pair": []}], r"record 0: expected text for the pair, found \[\]"),
        ([{"text": "a", "label": None}], "record 0: expected text for the label, found None; leave out 'label'"),
        ([{"text": "a", "label": float("nan")}], "record 0: expected text for the label, found nan"),
        ([{"text": "a", "label": ["b"]}], r"record 0: expected text for the label, found \['b'\]"),
        ([{"words": "a b", "tags": ["O", "O"]}], "record 0: expected a list of texts for the words, found 'a b'"),
        ([{"words": None}], "record 0: expected a list of texts for the words, found None"),
        ([{"words": ["a", 1]}], "record 0: expected text for the words, found 1"),
        ([{"words": ["a"], "tags": [None]}], "record 0: expected text for the tags, found None"),
    ],
)
def test_records_in_memory_are_checked(records: list, message: str):
    with pytest.raises(UserError, match=message):
        from_records(records)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (1, "1"), (True, "true"), (0.5, "0.5"), ("yes", "yes"), (np.int64(1), "1"), (np.bool_(False), "false"),
        (np.float32(0.3), "0.3"), (np.str_("yes"), "yes"),
    ],
)  # fmt: skip
def test_labels_and_tags_in_memory_are_texts_as_those_of_files_are(label, text: str):
    (record,) = from_records([{"text": "a", "label": label, "words": ("b", "c"), "tags": [label, "O"]}])
    assert record == {"text": "a", "label": text, "words": ["b", "c"], "tags": [text, "O"]}
    assert from_records([{"text": "a"}], [label, "no"]).labels == (text, "no")


def test_a_source_goes_through_the_configuration_and_back():
    source = config.override(Source(), ["train=csv:/data/*.csv", "header=false", "holdout=0.1"])
    assert source == Source(train="csv:/data/*.csv", header=False, holdout=0.1)
    assert config.from_json(Source, config.to_json(source)) == source
