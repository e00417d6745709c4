# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that compare runs: reproduce, diff."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from seqjax import trees
from seqjax.errors import UserError
from seqjax.training import checkpoint, record, run

Result = tuple[dict[str, Any], str]


def reproduce(folder: str, into: str | None, quiet: bool, tolerance: float) -> Result:
    """Runs the recorded configuration again as far as the recorded run went, and gives a verdict.

    The verdict is "identical bits" (every metric and every parameter), "within tolerance" (no metric differs by more
    than `tolerance`, relatively), or "different", with the first differing step and ingredient.
    """
    if not tolerance >= 0.0:
        raise UserError(f"--tolerance {tolerance} must be at least 0")
    old = record.read(folder)
    last = max(checkpoint.steps(old.folder), default=None)
    if last is None:
        raise UserError(f"the run in '{folder}' has no checkpoint, so there is nothing to compare with")
    if not old.facts["data"]:
        raise UserError(f"the model in '{folder}' was trained elsewhere and imported; there is no run to repeat")
    target = Path(into) if into else _free(Path(f"{old.folder}-reproduced"), last)
    if _whole(target, last):
        raise UserError(f"'{target}' holds a run already; choose another folder with --run")
    outcome = run.train(old.experiment, target, quiet, until=last)
    if outcome["status"] == "interrupted" and outcome["step"] < last:
        return outcome, f"saved after {outcome['step']} of {last} updates; the same command goes on"
    return judge(old, record.read(target), last, tolerance)


def judge(old: record.Recorded, new: record.Recorded, step: int, tolerance: float) -> Result:
    """Compares the metrics of two runs, and their parameters after `step` updates."""
    found = record.compare(old, new)
    a, b = (trees.flatten(checkpoint.load(r.folder, step)[1]) for r in (old, new))
    same_bits = a.keys() == b.keys() and all(np.array_equal(a[path], b[path]) for path in a)
    if same_bits and found["first_step"] is None:
        verdict = "identical bits"
    elif found["values_compared"] and found["largest_relative"] <= tolerance:
        verdict = "within tolerance"
    else:
        verdict = "different"
    result = {
        "verdict": verdict,
        "tolerance": tolerance,
        "parameters_equal": same_bits,
        "folder": str(new.folder),
    } | found
    lines = [
        f"verdict: {verdict} ({found['values_compared']} values compared, largest relative difference "
        f"{found['largest_relative']:.3g}, tolerance {tolerance:g}; parameters after step {step} "
        f"{'equal' if same_bits else 'differ'})"
    ]
    return result, "\n".join(lines + _differences(found))


def diff(a: str, b: str) -> Result:
    """Lists how two runs differ."""
    found = record.compare(record.read(a), record.read(b))
    lines = _differences(found)
    return found, "\n".join(lines) if lines else "no difference in settings, data, versions, hardware or metrics"


def _differences(found: dict[str, Any]) -> list[str]:
    lines = []
    if found["first_step"] is not None:
        left, right = found["values"]
        lines.append(f"first differing step: {found['first_step']}, {found['metric']}: {left} against {right}")
        lines.append(f"first differing ingredient: {found['first_ingredient'] or 'none that was recorded'}")
    for name, changes in found["ingredients"].items():
        lines += [f"  {name}: {key}: {json.dumps(x)} -> {json.dumps(y)}" for key, (x, y) in changes.items()]
    return lines


def _whole(folder: Path, step: int) -> bool:
    """Whether a folder holds a run of so many updates, or something else than a run."""
    return folder.exists() and (not record.exists(folder) or max(checkpoint.steps(folder), default=-1) >= step)


def _free(path: Path, step: int) -> Path:
    """The path, or the first of path-2, path-3, ... that does not exist or holds a run of fewer updates, to go on."""
    number = 1
    candidate = path
    while _whole(candidate, step):
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
