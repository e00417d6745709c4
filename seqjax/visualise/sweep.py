# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The figure of a sweep: the score against each searched setting, one panel for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqjax.visualise.curves import DPI, STYLES


def plot_sweep(rows: Sequence[Mapping[str, Any]], scales: Mapping[str, str], metric: str, path: Path) -> None:
    """Writes a PNG with one point for each trial that has a score, and the best in another colour.

    Args:
      rows: {"score", "settings"} of each trial, best first.
      scales: of each setting: "log", "linear" or "list" (its values stand side by side in order).
      metric: the name of the score.
      path: of the image.
    """
    from matplotlib.figure import Figure

    scored = [row for row in rows if row["score"] is not None]
    out = Figure(figsize=(4.2 * len(scales), 3.2), layout="constrained")
    for number, (key, scale) in enumerate(scales.items(), 1):
        axes = out.add_subplot(1, len(scales), number)
        values = [row["settings"][key] for row in scored]
        if scale == "list":
            names = sorted({row["settings"][key] for row in rows}, key=_by_size)
            values = [names.index(value) for value in values]
            axes.set_xticks(range(len(names)), names)
        axes.plot(values, [row["score"] for row in scored], "o", markersize=4, color=STYLES["train"]["color"])
        axes.plot(values[:1], [row["score"] for row in scored[:1]], "o", markersize=7, color=STYLES["eval"]["color"])
        axes.set_xscale("log" if scale == "log" else "linear")
        axes.set_xlabel(key, fontsize=9)
        axes.set_ylabel(metric, fontsize=9)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    out.savefig(path, format="png", dpi=DPI)


def _by_size(text: str) -> tuple[bool, float, str]:
    """Numbers by their size, and then words."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text
