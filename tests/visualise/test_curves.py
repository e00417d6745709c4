# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The figure carries the series it is given, and its PNG shows them."""

import math
import subprocess
import sys

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from seqjax.visualise.curves import figure, plot_curves

STEPS = range(10, 110, 10)
RECORDS = [
    {"step": step, "train/loss": 100 / step, "train/clm": 100 / step, "train/mlm": 0.5 + 1 / step,
     "train/lr": 1e-3 * step, "train/grad_norm": 5000.0 / step**2, "perf/tokens_per_s": 1e5}
    for step in STEPS
] + [{"step": step, "eval/loss": 120 / step, "eval/clm": 120 / step, "eval/accuracy": step / 200} for step in (50, 100)]  # fmt: skip


def panels(records):
    return {axes.get_title(): axes for axes in figure(records).axes}


def data(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line.get_xdata(), line.get_ydata()


def test_panels_and_their_order():
    # clm is the loss itself; mlm has other values. Speed is no curve.
    assert list(panels(RECORDS)) == ["loss", "accuracy", "mlm", "learning rate", "gradient norm"]


def test_axes_carry_the_series():
    axes = panels(RECORDS)
    steps, values = data(axes["loss"], "train")
    np.testing.assert_array_equal(steps, STEPS)
    np.testing.assert_array_equal(values, [100 / step for step in STEPS])
    np.testing.assert_array_equal(data(axes["loss"], "eval"), [[50, 100], [2.4, 1.2]])
    np.testing.assert_array_equal(data(axes["accuracy"], "eval"), [[50, 100], [0.25, 0.5]])
    np.testing.assert_array_equal(data(axes["learning rate"], "train")[1], [1e-3 * step for step in STEPS])
    assert [line.get_label() for line in axes["accuracy"].lines] == ["eval"]
    assert [text.get_text() for text in axes["loss"].get_legend().get_texts()] == ["train", "eval"]
    assert {a.get_xlabel() for a in axes.values()} == {"step"}


def test_only_what_spans_decades_is_logarithmic():
    scales = {name: axes.get_yscale() for name, axes in panels(RECORDS).items()}
    # The gradient norm spans a factor of exactly 100 here, not more.
    assert set(scales.values()) == {"linear"}
    wide = [
        record | {f"train/{name}": 10.0 ** -record["step"] for name in ("grad_norm", "accuracy")}
        for record in RECORDS[:10]
    ] + [{"step": 101, "train/grad_norm": math.nan}]  # one that is not finite hides nothing
    scales = {name: axes.get_yscale() for name, axes in panels(wide).items()}
    assert (
        scales["gradient norm"] == "log" and scales["accuracy"] == scales["loss"] == scales["learning rate"] == "linear"
    )


def test_png_shows_the_curves(tmp_path):
    plot_curves(RECORDS, tmp_path / "curves.png")
    pixels = imread(tmp_path / "curves.png")[..., :3]
    assert pixels.shape[1] > 1500  # readable: three panels beside each other
    for colour in ((0, 114, 178), (213, 94, 0)):  # train and eval, in many pixels each
        near = np.abs(pixels - np.array(colour, np.float32).reshape(1, 1, 3) / 255).max(axis=-1) < 0.02
        assert near.sum() > 300, colour


def test_a_term_that_differs_somewhere_has_its_own_panel():
    records = [*RECORDS, {"step": 110, "train/loss": 1.0, "train/clm": 1.1}]
    assert "clm" in panels(records)


def test_values_that_are_not_finite_and_single_points(tmp_path):
    records = [
        {"step": 0, "eval/loss": math.nan, "eval/accuracy": 0.5},
        {"step": 1, "train/loss": math.inf},
        {"step": 2, "train/loss": math.nan},
    ]
    plot_curves(records, tmp_path / "curves.png")
    assert imread(tmp_path / "curves.png").std() > 0
    (line,) = panels(records)["accuracy"].lines
    assert line.get_marker() == "o"
    (line,) = panels([{"step": 3, "train/loss": 1.0}])["loss"].lines
    assert line.get_marker() == "o"


def test_without_metrics_it_says_so(tmp_path):
    out = figure([])
    assert isinstance(out, Figure) and [text.get_text() for text in out.texts] == ["no metrics were written yet"]
    plot_curves([], tmp_path / "curves.png")
    assert imread(tmp_path / "curves.png").std() > 0


def test_pyplot_is_never_imported():
    program = (
        "import sys, seqjax.visualise.curves as c\n"
        "assert 'matplotlib' not in sys.modules, 'importing it is quick'\n"
        "c.plot_curves([{'step': 1, 'train/loss': 1.0}], __import__('pathlib').Path(sys.argv[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, "/dev/null"], check=True, timeout=60)
