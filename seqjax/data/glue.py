# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of one task as GLUE distributes it (Wang et al. 2019): which files are which split, which columns are which.

    train.tsv, dev.tsv, test.tsv               with a header; but CoLA's train.tsv and dev.tsv have none
    dev_matched.tsv, dev_mismatched.tsv        of MNLI: validation, and for a test with labels the other
    msr_paraphrase_train.txt, ..._test.txt     of MRPC, where dev_ids.tsv says which pairs of the first are validation

Labels stay as the files have them: 0 and 1, entailment, ... Those of test.tsv are not public.
"""

from pathlib import Path

from seqjax.data import files
from seqjax.errors import UserError

FILES = {
    "train": ("train.tsv", "msr_paraphrase_train.txt"),
    "validation": ("dev.tsv", "dev_matched.tsv", "msr_paraphrase_train.txt"),
    "test": ("msr_paraphrase_test.txt", "test.tsv", "dev_mismatched.tsv"),
}
ORIGINAL, CHOSEN = "msr_paraphrase_train.txt", "dev_ids.tsv"
# Text, pair and label of each task; the first that a file has.
COLUMNS = (
    ("#1 String", "#2 String", "Quality"),  # MRPC
    ("question1", "question2", "is_duplicate"),  # QQP
    ("sentence1", "sentence2", "gold_label"),  # MNLI
    ("sentence1", "sentence2", "score"),  # STS-B
    ("sentence1", "sentence2", "label"),  # RTE, WNLI
    ("question", "sentence", "label"),  # QNLI
    ("sentence", "", "label"),  # SST-2
    ("3", "", "1"),  # CoLA
)


def columns(names: list[str] | tuple[str, ...]) -> tuple[str, str, str] | None:
    """Returns text, pair ("" for none) and label among the columns of a file; None where it is no task's.

    A file without labels, as test.tsv is, is known by its texts.
    """
    for wanted in (3, 2):
        for found in COLUMNS:
            if all(name in names for name in found[:wanted] if name):
                return found
    return None


def read(folder: str, split: str, encoding: str, ragged: str) -> tuple[list[Path], list[files.Row], bool]:
    """Returns (files, rows with their columns, whether validation is still to be held out of these rows).

    Args:
      folder: of the task.
      split: "train", "validation", "test", or the name of a file without its ending: "dev_mismatched".
      encoding: of the files.
      ragged: see `files.tsv_rows`.

    Raises:
      UserError: the folder holds no such file, or one that is none of GLUE's.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UserError(f"there is no folder '{folder}'; write glue:DIR, where DIR holds the train.tsv of a task")
    names = FILES.get(split, (f"{split}.tsv", f"{split}.txt"))
    path = next((root / name for name in names if (root / name).is_file()), None)
    if path is None:
        raise UserError(f"'{folder}' holds no {' or '.join(names)}, which GLUE has for split '{split}'")
    lines = files.read_text(path, encoding).split("\n")
    first = lines[0].split("\t")
    header = any(name in first for found in COLUMNS[:-1] for name in found[:1])
    rows = list(files.tsv_rows(path, lines, header, ragged))
    if rows and columns(list(rows[0][1])) is None:
        raise UserError(f"{path}:1: expected the columns of a task of GLUE, found {', '.join(rows[0][1])}")
    if path.name != ORIGINAL:
        return [path], rows, False
    if not (root / CHOSEN).is_file():
        return [path], rows, True
    ids = {tuple(line.split("\t")) for line in files.read_text(root / CHOSEN, encoding).split("\n") if line}
    wanted = split == "validation"
    chosen = [(number, row) for number, row in rows if ((row["#1 ID"], row["#2 ID"]) in ids) == wanted]
    return [path, root / CHOSEN], chosen, False
