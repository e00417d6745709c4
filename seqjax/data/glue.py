# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of one task as GLUE distributes it (Wang et al. 2019): which files are which split, which columns are which.

    train.tsv, dev.tsv, test.tsv               with a header; but CoLA's train.tsv and dev.tsv have none
    dev_matched.tsv, dev_mismatched.tsv        of MNLI: validation, and for a test with labels the other
    msr_paraphrase_train.txt, ..._test.txt     of MRPC, where dev_ids.tsv says which pairs of the first are validation

Labels stay as the files have them: 0 and 1, entailment, ... Those of test.tsv are not public.
"""

import contextlib
import functools
import re
from pathlib import Path

from seqjax.data import files
from seqjax.errors import UserError

FILES = {
    "train": ("train.tsv", "msr_paraphrase_train.txt"),
    "validation": ("dev.tsv", "dev_matched.tsv", "msr_paraphrase_train.txt"),
    "test": ("msr_paraphrase_test.txt", "test.tsv", "dev_mismatched.tsv"),
}
ORIGINAL, CHOSEN = "msr_paraphrase_train.txt", "dev_ids.tsv"
# Text, pair and label of each task, by the name of its folder in small letters; the first that a file has.
COLUMNS = {
    "mrpc": ("#1 String", "#2 String", "Quality"),
    "qqp": ("question1", "question2", "is_duplicate"),
    "mnli": ("sentence1", "sentence2", "gold_label"),
    "stsb": ("sentence1", "sentence2", "score"),
    "rte": ("sentence1", "sentence2", "label"),
    "wnli": ("sentence1", "sentence2", "label"),
    "qnli": ("question", "sentence", "label"),
    "sst2": ("sentence", "", "label"),
    "cola": ("3", "", "1"),  # whose files have no header
}


def columns(names: list[str] | tuple[str, ...]) -> tuple[str, str, str] | None:
    """Returns text, pair ("" for none) and label among the columns of a file; None where it is no task's.

    A file without labels, as test.tsv is, is known by its texts.
    """
    for wanted in (3, 2):
        for found in COLUMNS.values():
            if all(name in names for name in found[:wanted] if name):
                return found
    return None


@functools.cache  # it is asked for each text that is predicted of
def pair_column(folder: str, encoding: str) -> str:
    """Returns the column of a task's second texts, "" where it has none, or where nothing says which task it is.

    That says the file of the training split or, where it is no longer there, the name that GLUE gives the folder.
    """
    found = COLUMNS.get(re.sub("[^a-z0-9]", "", Path(folder).name.lower()))
    with contextlib.suppress(UserError):
        first = next(files.lines(_path(folder, "train"), encoding), "").split("\t")
        found = columns(first if _has_header(first) else [str(i) for i in range(len(first))]) or found
    return found[1] if found else ""


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
    path = _path(folder, split)
    lines = files.read_text(path, encoding).split("\n")
    rows = list(files.tsv_rows(path, lines, _has_header(lines[0].split("\t")), ragged))
    if rows and columns(list(rows[0][1])) is None:
        raise UserError(f"{path}:1: expected the columns of a task of GLUE, found {', '.join(rows[0][1])}")
    if path.name != ORIGINAL:
        return [path], rows, False
    listed = path.with_name(CHOSEN)
    if not listed.is_file():
        return [path], rows, True
    ids = {tuple(line.split("\t")) for line in files.read_text(listed, encoding).split("\n") if line}
    wanted = split == "validation"
    chosen = [(number, row) for number, row in rows if ((row["#1 ID"], row["#2 ID"]) in ids) == wanted]
    return [path, listed], chosen, False


def _path(folder: str, split: str) -> Path:
    """Returns the file of a split; raises UserError where there is none."""
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UserError(f"there is no folder '{folder}'; write glue:DIR, where DIR holds the train.tsv of a task")
    names = FILES.get(split, (f"{split}.tsv", f"{split}.txt"))
    path = next((root / name for name in names if (root / name).is_file()), None)
    if path is None:
        raise UserError(f"'{folder}' holds no {' or '.join(names)}, which GLUE has for split '{split}'")
    return path


def _has_header(first: list[str]) -> bool:
    """Returns whether the columns of a file's first line are names of texts."""
    return any(text in first for text, *_ in COLUMNS.values() if text != COLUMNS["cola"][0])
