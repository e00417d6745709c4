# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A confusion matrix as a figure: which gold class was taken for which."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
COUNTED = 20  # classes up to which each cell says its count


def plot_confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str], path: Path) -> None:
    """Writes a confusion matrix, as `evaluation.metrics.confusion` gives it, as a PNG."""
    figure(confusion, labels).savefig(path, format="png", dpi=DPI)


def figure(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> "Figure":
    """Returns gold classes against predicted ones; the shade of a cell is its share of the row."""
    from matplotlib.figure import Figure  # no pyplot: it keeps every figure, and picks a window system

    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(max(0.45 * len(labels), 2.2), 14.0)
    out = Figure(figsize=(size + 1.8, size + 1.2), layout="constrained")
    axes = out.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    places = range(len(labels))
    escaped = [label.replace("$", r"\$") for label in labels]  # a label is no mathematics
    axes.set_xticks(places, escaped, rotation=90, fontsize=7)
    axes.set_yticks(places, escaped, fontsize=7)
    axes.set_xlabel("predicted", fontsize=9)
    axes.set_ylabel("gold", fontsize=9)
    if len(labels) <= COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=color)
    out.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(labelsize=7)
    return out
