# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The curves of a run against its steps, as small multiples: loss, other scores, learning rate, gradient norm."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqjax.training.logging import series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Two of the colours of Okabe and Ito (2008), told apart with any colour vision; evaluation has points as well.
STYLES: dict[str, dict[str, Any]] = {
    "train": {"color": "#0072B2", "linewidth": 1.1},
    "eval": {"color": "#D55E00", "linewidth": 1.5, "marker": "o", "markersize": 3.5},
}
TITLES = {"lr": "learning rate", "grad_norm": "gradient norm"}
LAST = ("lr", "grad_norm")  # what describes the optimiser comes after what it achieves
COLUMNS = 3
DPI = 150
LOGARITHMIC = ("grad_norm", "perplexity")  # on a logarithmic axis where they span more than WIDE_RATIO
WIDE_RATIO = 100.0


def plot_curves(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes the curves of a run as a PNG.

    Args:
      records: lines of metrics.jsonl, as `training.logging.read_metrics` gives them.
      path: of the image.
    """
    figure(records).savefig(path, format="png", dpi=DPI)


def figure(records: Sequence[Mapping[str, Any]]) -> "Figure":
    """Returns one panel for each metric, with its training and its evaluation values in it.

    Panels: the loss; then the other scores by name; then learning rate and gradient norm. A loss term that is the
    whole loss is left out. Metrics outside "train/" and "eval/" (speed) are not drawn.
    """
    from matplotlib.figure import Figure  # no pyplot: it keeps every figure, and picks a window system

    names = _panels(records)
    columns = 2 if len(names) == 4 else min(COLUMNS, max(len(names), 1))
    rows = max(math.ceil(len(names) / columns), 1)
    out = Figure(figsize=(4.2 * columns, 2.9 * rows), layout="constrained")
    if not names:
        out.text(0.5, 0.5, "no metrics were written yet", ha="center", va="center")
        return out
    for number, name in enumerate(names, 1):
        _draw(out.add_subplot(rows, columns, number), records, name)
    return out


def _panels(records: Sequence[Mapping[str, Any]]) -> list[str]:
    found = {name.split("/", 1)[1] for record in records for name in record if name.split("/", 1)[0] in STYLES}
    names = [name for name in found if name == "loss" or not _same(records, name, "loss")]
    return sorted(names, key=lambda name: (name != "loss", LAST.index(name) if name in LAST else -1, name))


def _same(records: Sequence[Mapping[str, Any]], name: str, other: str) -> bool:
    """Whether two metrics have the same values, to rounding, at the same steps."""
    for prefix in STYLES:
        (steps, values), (other_steps, other_values) = (series(records, f"{prefix}/{key}") for key in (name, other))
        if not np.array_equal(steps, other_steps):
            return False
        if not np.allclose(values, other_values, rtol=1e-5, atol=0.0, equal_nan=True):
            return False
    return True


def _draw(axes: "Axes", records: Sequence[Mapping[str, Any]], name: str) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    shown = []
    for prefix, style in STYLES.items():
        steps, values = series(records, f"{prefix}/{name}")
        if len(steps):
            single = (
                {"marker": "o", "markersize": 3.5} if len(steps) == 1 else {}
            )  # a line through one point is nothing
            axes.plot(steps, values, label=prefix, **(style | single))
            shown.append(values[np.isfinite(values)])
    finite = np.concatenate(shown)
    if name in LOGARITHMIC and finite.size and finite.min() > 0 and finite.max() / finite.min() > WIDE_RATIO:
        axes.set_yscale("log")
    axes.set_title(TITLES.get(name, name.replace("_", " ")), fontsize=10)
    axes.set_xlabel("step", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(labelsize=8)
    axes.yaxis.get_offset_text().set_fontsize(8)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
