# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a run: one HTML file that needs nothing beside it."""

import base64
import json
import math
from pathlib import Path
from typing import Any

from seqjax.config import unknown
from seqjax.errors import UserError

REPORT = "report.html"
IMAGES = ("curves", "confusion")  # files NAME.png of the folder that are shown
TEMPLATE = Path(__file__).with_name("report.html.j2")
KEYS = (
    "name", "summary", "status", "step", "steps", "figures", "before", "after", "report", "samples", "config",
    "changes", "environment", "hashes", "seeds", "commands",
)  # fmt: skip


def write_report(folder: Path, context: dict[str, Any]) -> None:
    """Writes report.html into a run's folder, with the folder's curves.png and confusion.png inside if they are there.

    Args:
      folder: of the run.
      context: what to say. A part whose key is absent or empty is left out; all text is escaped.
        name: of the experiment; the one key that must be there.
        summary: one line on what was done.
        status: "complete", "stopped early", "interrupted", ...
        step, steps: updates applied, and those that were planned.
        figures: {what: number or text}, the key figures.
        before, after: {metric: value} before and after training.
        report: as `evaluation.evaluate.reported` gives it; with "labels" and "confusion" the confusion matrix is shown
          too, with "by_length" the scores of short and long texts, with "worst" the worst errors.
        samples: [{"prompt": text, "text": what followed it}].
        config: the resolved configuration, as JSON values.
        changes: {dotted key: (value in the experiment's base, value here)}, as `config.differences` gives them.
        environment: {"versions" | "git" | "hardware" | ...: {what: value}}.
        hashes: {of what: hash or {part: hash}}, of data and tokenizer.
        seeds: {of what: number}.
        commands: {"resume" | "reproduce" | ...: command line}.

    Raises:
      UserError: no name, or an unknown key.
    """
    if not context.get("name"):
        raise UserError("a report needs the experiment's name: context['name'] is missing")
    if strange := next((key for key in context if key not in KEYS), None):
        raise UserError(f"report: {unknown('key', strange, KEYS)}")
    images = {
        name: base64.b64encode((folder / f"{name}.png").read_bytes()).decode("ascii")
        for name in IMAGES
        if (folder / f"{name}.png").exists()
    }
    partial = folder / f"{REPORT}.partial"
    partial.write_text(_render(context, images), encoding="utf-8")
    partial.replace(folder / REPORT)


def _render(context: dict[str, Any], images: dict[str, str]) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"show": _show, "exact": _exact, "pretty": _pretty, "flat": _flat}
    values = {key: context.get(key) for key in KEYS} | {"images": images}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(values)


def _show(value: Any) -> str:
    """A value as a reader likes it: thousands apart, four decimals, yes and no."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:,.4f}" if 1e-3 <= abs(value) < 1e7 or value == 0 else f"{value:.4g}"
    return _exact(value)


def _exact(value: Any) -> str:
    """A value as it is written in a configuration."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _flat(values: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """The leaves of nested dicts, each with its keys joined."""
    if not isinstance(values, dict):
        return [(prefix, values)]
    return [leaf for key, value in values.items() for leaf in _flat(value, f"{prefix} {key}".strip())]
