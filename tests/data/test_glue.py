# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Folders as GLUE distributes them: each experiment reads its own by one override."""

import shutil
from pathlib import Path

import pytest

from seqjax.data.corpus import label_names
from seqjax.data.sources import Source, open_split
from seqjax.errors import UserError
from seqjax.evaluation.predict import asked
from seqjax.experiment import resolve

MNLI = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
)
STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"
MRPC = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
ENTAILED = "index\tsentence1\tsentence2\tlabel\n"
# Of each task its files, two records of train and one of validation as (text, pair, label).
TASKS = {
    "cola": (
        {
            "train.tsv": "gj04\t1\t\tThey \"sang.\ngj04\t0\t*\tSang they.\n", "dev.tsv": "gj04\t1\t\tWe sang.\n",
            "test.tsv": "index\tsentence\n0\tBill sang.\n",
        },
        [("They \"sang.", None, "1"), ("Sang they.", None, "0")], ("We sang.", None, "1"),
    ),
    "sst2": (
        {
            "train.tsv": "sentence\tlabel\nfine \t1\nbad \t0\n", "dev.tsv": "sentence\tlabel\nso so\t0\n",
            "test.tsv": "index\tsentence\n0\tfine\n",
        },
        [("fine ", None, "1"), ("bad ", None, "0")], ("so so", None, "0"),
    ),
    "mrpc": (
        {
            "msr_paraphrase_train.txt": MRPC + "1\t7\t8\t\"a\tb\n0\t5\t6\tv\tv\n0\t8\t7\tc\td\n",
            "dev_ids.tsv": "5\t6\n", "msr_paraphrase_test.txt": MRPC + "1\t1\t2\tt\tu\n",
        },
        [("\"a", "b", "1"), ("c", "d", "0")], ("v", "v", "0"),
    ),
    "qqp": (
        {
            "train.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\ta?\tb?\t1\n1\t3\t4\tc?\td?\t0\n",
            "dev.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n2\t1\t2\tv?\tw?\t0\n",
            "test.tsv": "id\tquestion1\tquestion2\n0\ta?\tb?\n",
        },
        [("a?", "b?", "1"), ("c?", "d?", "0")], ("v?", "w?", "0"),
    ),
    "stsb": (
        {
            "train.tsv": f"{STSB}\tscore\n0\tg\tf\t2012\t1\tn\tn\ta\tb\t5.000\n1\tg\tf\t2012\t1\tn\tn\tc\td\t0.4\n",
            "dev.tsv": f"{STSB}\tscore\n0\tg\tf\t2012\t1\tn\tn\tv\tw\t3.2\n",
            "test.tsv": f"{STSB}\n0\tg\tf\t2012\t1\tn\tn\ta\tb\n",
        },
        [("a", "b", "5.000"), ("c", "d", "0.4")], ("v", "w", "3.2"),
    ),
    "mnli": (
        {
            "train.tsv": f"{MNLI}\tsentence1\tsentence2\tlabel1\tgold_label\n" + "".join(
                f"{row}\t1\t1\tg\t(\t(\t(\t(\t{texts}\tother\t{label}\n"
                for row, texts, label in ((0, "a\tb", "neutral"), (1, "c\td", "entailment"))
            ),
            "dev_matched.tsv": f"{MNLI}\tsentence1\tsentence2\tlabel1\tlabel2\tgold_label\n"
            "0\t1\t1\tg\t(\t(\t(\t(\tv\tw\tneutral\tentailment\tentailment\n",
            "dev_mismatched.tsv": f"{MNLI}\tsentence1\tsentence2\tlabel1\tlabel2\tgold_label\n"
            "0\t1\t1\tg\t(\t(\t(\t(\tt\tu\tneutral\tentailment\tneutral\n",
            "test_matched.tsv": f"{MNLI}\tsentence1\tsentence2\n0\t1\t1\tg\t(\t(\t(\t(\ta\tb\n",
        },
        [("a", "b", "neutral"), ("c", "d", "entailment")], ("v", "w", "entailment"),
    ),
    "qnli": (
        {
            "train.tsv": "index\tquestion\tsentence\tlabel\n0\ta?\tb\tentailment\n1\tc?\td\tnot_entailment\n",
            "dev.tsv": "index\tquestion\tsentence\tlabel\n0\tv?\tw\tentailment\n",
            "test.tsv": "index\tquestion\tsentence\n0\ta?\tb\n",
        },
        [("a?", "b", "entailment"), ("c?", "d", "not_entailment")], ("v?", "w", "entailment"),
    ),
    "rte": (
        {
            "train.tsv": f"{ENTAILED}0\ta\tb\tentailment\n1\tc\td\tnot_entailment\n",
            "dev.tsv": f"{ENTAILED}0\tv\tw\tentailment\n", "test.tsv": "index\tsentence1\tsentence2\n0\ta\tb\n",
        },
        [("a", "b", "entailment"), ("c", "d", "not_entailment")], ("v", "w", "entailment"),
    ),
    "wnli": (
        {
            "train.tsv": f"{ENTAILED}0\ta\tb\t1\n1\tc\td\t0\n", "dev.tsv": f"{ENTAILED}0\tv\tw\t1\n",
            "test.tsv": "index\tsentence1\tsentence2\n0\ta\tb\n",
        },
        [("a", "b", "1"), ("c", "d", "0")], ("v", "w", "1"),
    ),
}  # fmt: skip


def folder_of(root: Path, task: str, **changed: str) -> Path:
    """Writes a task's folder; `changed` files by their names without an ending."""
    for name, text in TASKS[task][0].items():
        (root / name).write_text(changed.get(name.partition(".")[0], text), encoding="utf-8")
    return root


def triples(source: Source, split: str) -> list[tuple]:
    return [(row["text"], row.get("pair"), row.get("label")) for row in open_split(source, split)]


@pytest.mark.parametrize("task", TASKS)
def test_an_experiment_reads_its_folder_by_one_override(task: str, tmp_path: Path):
    experiment = resolve(f"glue_{task}", [f"data=glue:{folder_of(tmp_path, task)}"])
    source = experiment.data.source
    _, train, validation = TASKS[task]
    assert triples(source, "train") == train
    assert triples(source, "validation") == [validation]
    assert label_names(open_split(source, "train"), "label") == tuple(sorted(label for *_, label in train))
    if task in ("mrpc", "mnli"):
        assert triples(source, "test") == [("t", "u", "1" if task == "mrpc" else "neutral")]
        return
    with pytest.raises(UserError, match=r"test\.tsv has no labels, which GLUE keeps to itself"):
        open_split(source, "test")
    first, *lines = (tmp_path / "test.tsv").read_text().splitlines()
    record = dict(zip(first.split("\t"), lines[0].split("\t"), strict=True))
    (read,) = asked(source, experiment.objective, [("test.tsv:2", record)])  # as `predict --file` does
    one, two = train[0][:2]
    assert read.read == ("Bill sang." if task == "cola" else "fine" if task == "sst2" else (one, two))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("there", [True, False])
def test_a_text_alone_is_asked_of_tasks_of_one_text_only(task: str, there: bool, tmp_path: Path):
    """As the folder says that training read or, where it has gone since, its name."""
    folder = tmp_path / ("any" if there else {"stsb": "STS-B", "sst2": "SST-2"}.get(task, task.upper()))
    if there:
        folder.mkdir()
        folder_of(folder, task)
    experiment = resolve(f"glue_{task}", [f"data=glue:{folder}"])
    source, objective = experiment.data.source, experiment.objective
    if task in ("cola", "sst2"):
        texts = ["the cat sat", {"text": "the cat sat"}]
        assert [each.read for each in asked(source, objective, [("text 1", text) for text in texts])] == texts[:1] * 2
        return
    second = {"mrpc": "#2 String", "qqp": "question2", "qnli": "sentence"}.get(task, "sentence2")
    for text, message in (
        ("the cat sat", "text 1: expected a pair of texts, found 'the cat sat'"),
        ({"text": "the cat sat"}, f"text 1: expected a text '{second}' beside the first, found text"),
    ):
        with pytest.raises(UserError, match=message):
            list(asked(source, objective, [("text 1", text)]))
    pairs = list(asked(source, objective, [("text 1", ("a", "b")), ("text 2", {"text": "a", "pair": "b"})]))
    assert [each.read for each in pairs] == [("a", "b")] * 2


def test_of_a_folder_that_is_gone_and_has_another_name_nothing_is_known(tmp_path: Path):
    experiment = resolve("glue_rte", [f"data=glue:{tmp_path}/mine"])
    (read,) = asked(experiment.data.source, experiment.objective, [("text 1", "a")])
    assert read.read == "a"


def test_a_file_is_chosen_by_its_name(tmp_path: Path):
    folder = folder_of(tmp_path, "mnli")
    with pytest.raises(UserError, match=r"test_matched\.tsv has no labels"):
        open_split(Source(f"glue:{folder}@test_matched"), "train")
    chosen = Source(f"glue:{folder}", validation=f"glue:{folder}@dev_mismatched")
    assert triples(chosen, "validation") == [("t", "u", "neutral")]


def test_originals_without_chosen_pairs_are_held_out_from(tmp_path: Path, capsys):
    folder = folder_of(tmp_path, "mrpc")
    (folder / "dev_ids.tsv").unlink()
    source = Source(f"glue:{folder}", holdout=0.4)
    assert triples(source, "train") + triples(source, "validation") == [
        ('"a', "b", "1"),
        ("v", "v", "0"),
        ("c", "d", "0"),
    ]
    assert len(triples(source, "validation")) == 1
    train = open_split(Source(f"glue:{folder_of(tmp_path, 'mrpc')}"), "train")
    assert train.fingerprint != open_split(source, "train").fingerprint


def test_a_ragged_line_is_named_or_left_out_and_counted(tmp_path: Path, capsys):
    ragged = TASKS["rte"][0]["train.tsv"] + "2\te\tf\n3\tg\th\tentailment\textra\n4\ti\tj\tentailment\n"
    folder = folder_of(tmp_path, "rte", train=ragged)
    with pytest.raises(UserError, match=r"train\.tsv:4: expected 4 columns .*, found 3; data\.source\.ragged=skip"):
        open_split(Source(f"glue:{folder}"), "train")
    shutil.copy(folder / "train.tsv", folder / "a.tsv")
    (folder / "a.csv").write_text(ragged.replace("\t", ","))
    for spec in (f"glue:{folder}", f"tsv:{folder}/a.tsv", f"csv:{folder}/a.csv"):
        source = Source(spec, text="sentence1", pair="sentence2", holdout=0.0, ragged="skip")
        assert triples(source, "train") == [*TASKS["rte"][1], ("i", "j", "entailment")]
        said = capsys.readouterr().err
        assert "lines left out: 2 without 4 columns, the first at line 4" in said


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "there is no folder '.*'; write glue:DIR"),
        ({}, "holds no train.tsv or msr_paraphrase_train.txt"),
        ({"train.tsv": "a\tb\n1\t2\n"}, r"train\.tsv:1: expected the columns of a task of GLUE, found 0, 1"),
        ({"train.tsv": "sentence\tlabel\n"}, r"train\.tsv:1: expected at least one record"),
    ],
)
def test_what_is_no_folder_of_glue_is_said_in_one_line(files: dict | None, message: str, tmp_path: Path):
    folder = tmp_path / "task"
    if files is not None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    with pytest.raises(UserError, match=message):
        open_split(Source(f"glue:{folder}"), "train")
