# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command that asks a fine-tuned model: predict."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqjax.data import files, tokenizers
from seqjax.errors import UserError
from seqjax.evaluation.predict import Text, predict
from seqjax.training import checkpoint

Result = tuple[Any, str]
TAB = "\t"  # between the two texts of a pair, or a text and its choices, on a line or in --text


def predict_texts(folder: str, text: list[str] | None, file: str | None, out: str | None, encoding: str) -> Result:
    """Predicts of each --text, or of each line of --file; with --out as JSON lines into a new file, in order.

    A tab stands between the two texts of a pair, and between a text and its choices. What is written to --out is there
    line by line as it is predicted; the file takes its name when all of it is.
    """
    if (text is None) == (file is None):
        raise UserError("give either --text (perhaps several times) or --file")
    if out is not None and Path(out).exists():
        raise UserError(f"'{out}' is there already; choose another --out")
    experiment, params = checkpoint.load(folder)
    tokenizer = tokenizers.load(Path(folder) / "tokenizer")
    lines = text or files.read_text(Path(file or ""), encoding).removesuffix("\n").split("\n")
    found = _watched(predict(experiment, params, tokenizer, map(_text, lines)), len(lines))
    if out is None:
        results = list(found)
        return results, "\n".join(_line(each) for each in results)
    partial = Path(f"{out}.partial")
    with open(partial, "w", encoding="utf-8") as written:
        for each in found:
            written.write(json.dumps(each, ensure_ascii=False) + "\n")
    os.replace(partial, out)
    return {"file": out, "texts": len(lines)}, f"{len(lines):,} predictions are in {out}"


def _text(line: str) -> Text:
    return tuple(line.split(TAB)) if TAB in line else line


def _line(result: dict[str, Any]) -> str:
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
