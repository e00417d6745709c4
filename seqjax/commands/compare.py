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
    target = Path(into) if into else _free(Path(f"{old.folder}-reproduced"))
    if record.exists(target):
        raise UserError(f"'{target}' holds a run already; choose another folder with --run")
    last = checkpoint.steps(old.folder)
    if not last:
        raise UserError(f"the run in '{folder}' has no checkpoint, so there is nothing to compare with")
    run.train(old.experiment, target, quiet, until=last[-1])
    return judge(old, record.read(target), last[-1], tolerance)


def judge(old: record.Recorded, new: record.Recorded, step: int, tolerance: float) -> Result:
    """Compares the metrics of two runs, and their parameters after `step` updates."""
    found = record.compare(old, new)
    a, b = (trees.flatten(checkpoint.load(r.folder, step)[1]) for r in (old, new))
    same_bits = a.keys() == b.keys() and all(np.array_equal(a[path], b[path]) for path in a)
    if same_bits and found["first_step"] is None:
        verdict = "identical bits"
    elif found["largest_relative"] <= tolerance:
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


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that does not exist."""
    number = 1
    candidate = path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
