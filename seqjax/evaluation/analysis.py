# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a model errs: its worst errors, with their texts, and its scores on short and on long texts.

Errors are {"measure": what they are sorted by, "errors": [{"text", "gold", "predicted", "value", perhaps "sure"}]}, the
worst first: "value" is the measure, "sure" the probability that the model gave to what it said. All are right: none.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqjax.evaluation import metrics

WORST = 20  # errors that are kept
LEAST = 1e-30  # a probability is not below it, so that its logarithm is finite
Pairs = Sequence[dict[str, Any]]
Errors = dict[str, Any]


def worst_first(measure: str, errors: list[dict[str, Any]], key: Callable[[dict[str, Any]], Any]) -> Errors:
    """Returns the first WORST of errors by a key."""
    return {"measure": measure, "errors": sorted(errors, key=key)[:WORST]}


def readable(record: Mapping[str, Any]) -> str:
    """Returns all that a record has to read."""
    choices = [f"- {choice}" for choice in record.get("choices", ())]
    return "\n".join([record["text"], *([record["pair"]] if "pair" in record else []), *choices])


def nats(chance: float) -> float:
    """Returns the loss of what has this probability."""
    return -math.log(max(chance, LEAST))


def by_length(pairs: Pairs, scores: Callable[[Pairs], dict[str, float]]) -> dict[str, Any]:
    """Returns {"by_length": [{"longest", "count", score, ...}]} of up to four equally large parts by "length"."""
    if not pairs or "length" not in pairs[0]:
        return {}
    parts = [[pairs[place] for place in places] for places in metrics.in_parts([pair["length"] for pair in pairs])]
    return {"by_length": [{"longest": part[-1]["length"], "count": len(part)} | scores(part) for part in parts]}


def format_by_length(report: Mapping[str, Any], unit: str) -> str:
    """Returns "by_length" of a report as lines of a table, each after a line break; "" where there is none."""
    if "by_length" not in report:
        return ""
    names = [name for name in report["by_length"][0] if name not in ("longest", "count")]
    title = "".join(f"  {name.replace('_', ' '):>19}" for name in names)
    lines = ["", "", f"{unit + ' up to':16}  {'count':>7}{title}"]
    for part in report["by_length"]:
        scores = "".join(f"  {part[name]:>19.4f}" for name in names)
        lines.append(f"{part['longest']:<16}  {part['count']:>7}{scores}")
    return "\n".join(lines)
