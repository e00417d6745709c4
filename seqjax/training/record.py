# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run's description on disk, and how two runs differ.

FOLDER/config.json     the resolved experiment
FOLDER/run.json        command, hashes of data and tokenizer, seed, versions, git state, hardware, XLA's flags
FOLDER/tokenizer/      the tokenizer
FOLDER/metrics.jsonl   what was measured
"""

import dataclasses
import json
import math
import os
import re
import sys
from pathlib import Path
from typing import Any

from seqjax import trees
from seqjax.config import differences, from_json, to_json
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.models.model import shapes
from seqjax.training import environment, processes
from seqjax.training.logging import read_metrics
from seqjax.training.prepare import EVALUATED, Prepared

FACTS = "run.json"  # written last of what describes a run: where it stands the folder holds a whole description
WRITTEN = ("command", "data", "tokenizer", "seed", "parameters", "versions", "git", "hardware", "switches")  # in FACTS
INGREDIENTS = ("config", "data", "tokenizer", "versions", "git", "hardware", "switches")  # in the order of blame


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A run as it stands on disk: resolved configuration, the facts of run.json, and the lines of metrics.jsonl."""

    folder: Path
    config: dict[str, Any]
    facts: dict[str, Any]
    metrics: list[dict[str, Any]]

    @property
    def experiment(self) -> Experiment:
        """The resolved experiment."""
        return from_json(Experiment, self.config, str(self.folder / "config.json"))


def exists(folder: Path) -> bool:
    """Returns whether the folder holds the whole description of a run."""
    return (folder / FACTS).exists()


def read(folder: str | Path) -> Recorded:
    """Returns the run in a folder.

    Raises:
      UserError: there is none, or its files are not what a run writes.
    """
    folder = Path(folder).expanduser()
    if not exists(folder):
        raise UserError(f"'{folder}' holds no run; give a folder that `launch.py train --run` wrote")
    files: list[dict[str, Any]] = []
    for name, needed in (("config.json", ()), (FACTS, WRITTEN)):
        try:
            found = json.loads((folder / name).read_text("utf-8"))
        except OSError as error:
            raise UserError(f"cannot read {folder / name}: {error.strerror}") from None
        except ValueError as error:  # of JSON or of UTF-8
            raise UserError(f"{folder / name} is not what a run writes: {error}") from None
        if not isinstance(found, dict) or (missing := [key for key in needed if key not in found]):
            lack = f"it has no '{missing[0]}'" if isinstance(found, dict) else "it holds no object"
            raise UserError(f"{folder / name} is not what a run writes: {lack}")
        files.append(found)
    return Recorded(folder, files[0], files[1], read_metrics(folder))


def check_folder(folder: Path) -> None:
    """Raises UserError where a run cannot be written to the folder, which need not exist; nothing is made."""
    if re.match(r"[a-z][a-z0-9+]+:/", str(folder)):  # of two slashes `Path` keeps one
        raise UserError(f"'{folder}' is no folder of a file system; mount the bucket, and give --run a folder in it")
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"'{there}' is a file; --run takes a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to '{there}': permission denied; choose another folder with --run")


def write(prepared: Prepared, folder: Path) -> None:
    """Writes the description of a new run, or checks that the one that is there is the same.

    Of several processes the first writes; the others must not read before it has (`processes.meet`).

    The number of devices may change in a resumed run; nothing else may.

    Raises:
      UserError: the folder holds a run with other settings, or one whose data has changed since.
    """
    resolved = to_json(prepared.experiment)
    hashes = {split: prepared.dataset.rows(split).corpus.hash for split in ("train", EVALUATED)}
    if exists(folder):
        before = read(folder)
        changed = differences(before.config, resolved)
        settings = [
            f"{key} ({a} there, {b} here)" for key, (a, b) in changed.items() if key.split(".")[0] != "parallel"
        ]
        if settings:
            raise UserError(
                f"{folder} holds a run with other settings: {settings[0]}; choose another folder with --run"
            )
        if before.facts["data"] != hashes:
            raise UserError(f"the data has changed since the run in {folder} began; begin a new one with --run")
        return
    if processes.first():
        parameters = trees.count(shapes(prepared.model))
        describe(folder, prepared.experiment, prepared.dataset.tokenizer, parameters, hashes)


def describe(folder: Path, experiment: Experiment, tokenizer: Any, parameters: int, hashes: dict[str, str]) -> None:
    """Writes the tokenizer, config.json and run.json of a new run.

    Args:
      folder: of the run; made if need be.
      experiment: resolved.
      tokenizer: of the run.
      parameters: how many the model has.
      hashes: of the data, by split.

    Raises:
      UserError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make '{folder}': {error.strerror}; choose another folder with --run") from None
    tokenizer.save(folder / "tokenizer")
    facts = {
        "command": sys.argv,
        "data": hashes,
        "tokenizer": tokenizer.hash,
        "seed": experiment.run.seed,
        "parameters": parameters,
        "versions": environment.versions(),
        "git": environment.git(),
        "hardware": environment.hardware(),
        "switches": environment.switches(),
    }
    (folder / "config.json").write_text(json.dumps(to_json(experiment), indent=1) + "\n")
    partial = folder / f"{FACTS}.partial"
    partial.write_text(json.dumps(facts, indent=1) + "\n")
    partial.rename(folder / FACTS)


def compare(a: Recorded, b: Recorded) -> dict[str, Any]:
    """Returns how two runs differ.

    Returns:
      {"ingredients": {ingredient: {dotted key: [value in a, value in b]}} for those that differ,
       "first_ingredient": the first of these in the order of INGREDIENTS, or None,
       "first_step": the first step at which a metric differs, or None; "metric": its name, "values": [in a, in b],
       "values_compared": how many values both logged, "largest_relative": the largest relative difference of a metric}
    """
    ingredients: dict[str, Any] = {}
    for name in INGREDIENTS:
        left = a.config if name == "config" else a.facts[name]
        right = b.config if name == "config" else b.facts[name]
        if found := differences(left, right, "" if isinstance(left, dict) else name):
            ingredients[name] = {key: list(pair) for key, pair in found.items()}
    out: dict[str, Any] = {
        "ingredients": ingredients,
        "first_ingredient": next(iter(ingredients), None),
        "first_step": None,
        "metric": None,
        "values": None,
    }
    left, right = _measured(a.metrics), _measured(b.metrics)
    common = [key for key in left if key in right]
    largest = 0.0
    for key in common:
        x, y = left[key], right[key]
        if x == y or (x != x and y != y):
            continue
        if out["first_step"] is None:
            out |= {"first_step": key[0], "metric": key[1], "values": [x, y]}
        difference = abs(x - y) / max(abs(x), abs(y))
        largest = max(largest, difference if math.isfinite(difference) else math.inf)  # one of them is no number
    return out | {"values_compared": len(common), "largest_relative": largest}


def _measured(lines: list[dict[str, Any]]) -> dict[tuple[int, str], float]:
    """{(step, name): value} of everything that a rerun should repeat; speed is not."""
    values = {(line["step"], name): value for line in lines for name, value in line.items()}
    return {key: value for key, value in values.items() if key[1] != "step" and not key[1].startswith("perf/")}
