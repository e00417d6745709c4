# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command that asks a fine-tuned model: predict."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqjax.data import conll, files, tokenizers
from seqjax.errors import UserError
from seqjax.evaluation.predict import asked, predict_asked
from seqjax.evaluation.records import Text
from seqjax.evaluation.tasks.table import known_task
from seqjax.evaluation.tasks.task import Task
from seqjax.experiment import Experiment
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.supervised import Tagging
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training import checkpoint

Result = tuple[Any, str | Iterator[str]]
Named = Iterator[tuple[str, Text | None]]  # how errors name each, and the text; None for a blank line
TAB = "\t"  # between the two texts of a pair, or a text and its choices, on a line or in --text
FEW = 100  # texts that need no progress bar


def predict_texts(
    folder: str,
    text: list[str] | None,
    file: str | None,
    out: str | None,
    encoding: str,
    threshold: float | None,
    among: str | None = None,
) -> Result:
    """Predicts of each --text, or of each record of --file; with --out as JSON lines into a new file, in order.

    A file is read as it is predicted of, and before that once to find what is wrong with it (not where it is a pipe).
    See `_texts` for what it may hold. A blank line has a result without a prediction, so that lines stay side by side.
    Without --out the results of a file are in the list that is returned once the lines that show them have been read.
    What is written to --out is there line by line as it is predicted; the file takes its name when all of it is.
    """
    if (text is None) == (file is None):
        raise UserError("give either --text (perhaps several times) or --file")
    if out is not None and Path(out).exists():
        raise UserError(f"'{out}' is there already; choose another --out")
    experiment, params = checkpoint.load(folder)
    tokenizer = tokenizers.load(Path(folder) / "tokenizer")
    objective, source = experiment.objective, experiment.data.source
    if threshold is not None:
        if not (isinstance(objective, QuestionAnswering) and objective.no_answer):
            raise UserError("--threshold is for a run with objective.no_answer=true")
        experiment = replace(experiment, objective=replace(objective, threshold=threshold))
    if among is not None and not isinstance(objective, InBatchNegatives):
        raise UserError("--among is for a run of retrieval")
    task = known_task(objective)
    candidates = None if among is None else [line for line in files.lines(Path(among), encoding) if line.strip()]
    if candidates == []:
        raise UserError(f"{among}:1: expected texts to find in, found none")

    def texts() -> Named:
        if text is not None:
            return ((f"text {number}", _parts(each)) for number, each in enumerate(text, 1))
        return _texts(Path(file or ""), encoding, experiment)

    total = None
    if text is not None or Path(file or "").is_file():
        total = sum(1 for _ in asked(source, objective, texts()))
        if not total:
            raise UserError(f"{file}:1: expected at least one text, found none")
    found = predict_asked(experiment, params, tokenizer, asked(source, objective, texts()), candidates)
    if out is None:
        results: list[dict[str, Any]] = []
        shown = _shown(task, _watched(found, total, not sys.stdout.isatty()), results)
        return results, "\n".join(shown) if file is None else shown
    partial, count = Path(f"{out}.partial"), 0
    with open(partial, "w", encoding="utf-8") as written:
        for each in _watched(found, total, True):
            count += 1
            written.write(json.dumps(each, ensure_ascii=False) + "\n")
    os.replace(partial, out)
    return {"file": out, "texts": count}, f"{count:,} predictions are in {out}"


def _texts(path: Path, encoding: str, experiment: Experiment) -> Named:
    """Yields the texts of a file, read as they are asked for; its name says how.

    .jsonl holds a record on each line, .tsv and .csv in columns that the first line names (unless the run has
    data.source.header=false), .conll for a tagger a word on each line, blank lines between sentences. Of any other each
    line is a text, or its parts between tabs. None stands for a blank line; no line is left out, not even a ragged one.

    Raises:
      UserError: a file that cannot be read, or a line that is malformed.
    """
    source = experiment.data.source
    lines = files.lines(path, encoding)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    rows: Iterator[tuple[int, Any]]
    if kind == "jsonl":
        rows = files.json_rows(path, lines, blank=True)
    elif kind == "tsv":
        rows = files.tsv_rows(path, lines, source.header, blank=True)
    elif kind == "csv":
        rows = files.csv_rows(path, (line + "\n" for line in lines), source.header, blank=True)
    elif kind == "conll" and isinstance(experiment.objective, Tagging):
        rows = conll.conll_rows(path, lines, int(source.words) if source.words.isdigit() else 0, None)
        if source.placed:
            rows = ((number, row | {"words": conll.unplaced(path, number, row["words"])}) for number, row in rows)
    else:
        rows = ((number, _parts(line) if line.strip() else None) for number, line in enumerate(lines, 1))
    return ((f"{path}:{number}", row) for number, row in rows)


def _parts(line: str) -> Text:
    return tuple(line.split(TAB)) if TAB in line else line


def _shown(task: Task, found: Iterator[dict[str, Any]], results: list[dict[str, Any]]) -> Iterator[str]:
    """Yields each result as a line, that of a blank line blank; it is in `results` then."""
    for each in found:
        results.append(each)
        yield task.line(each) if len(each) > 1 else ""


def _watched(results: Iterator[dict[str, Any]], total: int | None, seen: bool) -> Iterator[dict[str, Any]]:
    """Shows how far it is on stderr where there are more than a few, and nothing else is `seen` there."""
    from rich.console import Console
    from rich.progress import track

    console, quiet = Console(stderr=True), not seen or (total is not None and total < FEW)
    yield from track(results, "predicting", total=total, console=console, transient=True, disable=quiet)
