# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command that asks a fine-tuned model: predict."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqjax.data import files, tokenizers
from seqjax.errors import UserError
from seqjax.evaluation.asked import Text
from seqjax.evaluation.predict import predict
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.training import checkpoint

Result = tuple[Any, str]
TAB = "\t"  # between the two texts of a pair, or a text and its choices, on a line or in --text
ASKED = ("question", "context")  # keys of a line of JSON


def predict_texts(
    folder: str, text: list[str] | None, file: str | None, out: str | None, encoding: str, threshold: float | None
) -> Result:
    """Predicts of each --text, or of each line of --file; with --out as JSON lines into a new file, in order.

    A tab stands between the two texts of a pair, and between a text and its choices; a question and its context are a
    pair, or, in a --file whose name ends in .jsonl, a JSON object on each line. What is written to --out is there
    line by line as it is predicted; the file takes its name when all of it is.
    """
    if (text is None) == (file is None):
        raise UserError("give either --text (perhaps several times) or --file")
    if out is not None and Path(out).exists():
        raise UserError(f"'{out}' is there already; choose another --out")
    experiment, params = checkpoint.load(folder)
    tokenizer = tokenizers.load(Path(folder) / "tokenizer")
    objective = experiment.objective
    if threshold is not None:
        if not (isinstance(objective, QuestionAnswering) and objective.no_answer):
            raise UserError("--threshold is for a run with objective.no_answer=true")
        experiment = replace(experiment, objective=replace(objective, threshold=threshold))
    lines = [_text(line) for line in text] if text is not None else _read(Path(file or ""), encoding)
    found = _watched(predict(experiment, params, tokenizer, lines), len(lines))
    if out is None:
        results = list(found)
        return results, "\n".join(_line(each) for each in results)
    partial = Path(f"{out}.partial")
    with open(partial, "w", encoding="utf-8") as written:
        for each in found:
            written.write(json.dumps(each, ensure_ascii=False) + "\n")
    os.replace(partial, out)
    return {"file": out, "texts": len(lines)}, f"{len(lines):,} predictions are in {out}"


def _read(path: Path, encoding: str) -> list[Text]:
    """Returns the texts or pairs of a file; of JSON lines the question and its context.

    Raises:
      UserError: a file that cannot be read, or a line without them.
    """
    content = files.read_text(path, encoding)
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        rows = list(files.json_rows(path, content))
        for number, row in rows:
            if lost := next((name for name in ASKED if not isinstance(row.get(name), str)), ""):
                raise UserError(f"{path}:{number}: expected texts 'question' and 'context', found no text '{lost}'")
        return [(row["question"], row["context"]) for _, row in rows]
    return [_text(line) for line in content.removesuffix("\n").split("\n")]


def _text(line: str) -> Text:
    return tuple(line.split(TAB)) if TAB in line else line


def _line(result: dict[str, Any]) -> str:
    if "n_best" in result:
        return f"{result['answer'] or '(no answer)'}  {result['probability']:.4f}  {result['question']}"
    shown = " | ".join([result["text"], *([result["pair"]] if "pair" in result else result.get("choices", []))])
    if "label" in result:
        return f"{result['label']}  {result['probability']:.4f}  {shown}"
    if "number" in result:
        return f"{result['number']:.4f}  {shown}"
    if "tags" in result:
        return " ".join(f"{word}/{tag}" for word, tag in zip(result["words"], result["tags"], strict=True))
    return result["answer"]


def _watched(results: Iterator[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    from rich.console import Console
    from rich.progress import track

    console, few = Console(stderr=True), total < 100
    yield from track(results, "predicting", total=total, console=console, transient=True, disable=few)
