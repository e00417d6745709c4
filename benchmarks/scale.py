# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What an update costs as the work grows, in length, depth, width and devices: the compiler's count beside ours.

    python -m benchmarks.scale [--into benchmarks/figures]

A GPT of 4 layers of width 256, 8 rows of 256 places, AdamW; one of these changes, in a process for each axis. Layers
are unrolled, for XLA counts a loop's body once. Columns: model FLOPs by the formula (`Objective.flops`); those of all
matrix products as traced, and all of XLA's after optimisation, as multiples of these; the state's bytes on a device by
the formula (12 for each parameter, over the devices that divide it), and as compiled; temporaries; seconds of an update
(median of five) and of compiling it. The devices are virtual ones on the cores of one machine: their seconds say
nothing, and are left out. The last axis is the depth of a scanned model: characters of the program, and seconds of
tracing and of compiling.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

AXES: dict[str, tuple[int, ...]] = {
    "length": (64, 128, 256, 512, 1024), "depth": (2, 4, 8, 16), "width": (64, 128, 256, 512),
    "devices": (1, 2, 4, 8), "scanned depth": (12, 24, 48),
}  # fmt: skip
STEPS = 6  # the first is not counted
BYTES = 12  # of a parameter and its two moments, float32


def experiment(axis: str, value: int) -> Any:
    """Returns the GPT with one axis changed."""
    from seqjax import experiment as experiments
    from seqjax.config import derive
    from seqjax.training.parallel import Parallel

    length = value if axis == "length" else 256
    width = value if axis == "width" else 64 if axis == "scanned depth" else 256
    layers = value if "depth" in axis else 4
    return derive(
        experiments.resolve("gpt2_small", tiny=True),
        data={"length": length, "batch": 8},
        model={
            "vocab_size": 1024, "layers": layers, "width": width, "heads": max(width // 64, 1), "mlp_width": 4 * width,
            "max_length": length, "dropout": 0.0, "dtype": "float32", "scan": axis == "scanned depth", "remat": "none",
        },
        parallel=Parallel("mesh", value, fsdp=value) if axis == "devices" else Parallel("jit", 1),
    )  # fmt: skip


def measure(axis: str, value: int) -> dict[str, Any]:
    """Returns the figures of one setting."""
    import jax

    from seqjax import trees
    from seqjax.models.model import shapes
    from seqjax.training.ahead import program, standing_in
    from seqjax.training.hlo import product_flops
    from seqjax.training.parallel import Devices

    prepared = standing_in(experiment(axis, value))
    devices = Devices(prepared.experiment.parallel)
    update, inputs = program(prepared, devices)
    begun = time.perf_counter()
    traced = update.trace(*inputs)
    lowered = traced.lower()
    tracing = time.perf_counter() - begun
    begun = time.perf_counter()
    compiled = lowered.compile()
    found: dict[str, Any] = {"axis": axis, "value": value, "trace_s": tracing, "compile_s": time.perf_counter() - begun}
    if axis == "scanned depth":
        return found | {"characters": len(lowered.as_text())}
    objective = prepared.dataset.objective
    plan = compiled.memory_analysis()
    batch = sum(x.size * x.dtype.itemsize for x in inputs[1].values()) // len(devices)
    return found | {
        "formula": objective.flops(prepared.experiment.model, *objective.read(inputs[1])),
        "products": product_flops(traced.jaxpr),
        "xla": compiled.cost_analysis()["flops"] * len(devices),
        "state_formula": BYTES * trees.count(shapes(prepared.model)) // len(devices),
        "state": plan.argument_size_in_bytes - batch,
        "temporaries": plan.temp_size_in_bytes,
        "step_s": None if axis == "devices" else seconds(compiled, inputs, jax),
    }


def seconds(compiled: Any, inputs: Any, jax: Any) -> float:
    """Returns the median time of an update."""
    key = jax.random.key(0)
    state, batch = jax.tree.map(lambda x: jax.numpy.ones(x.shape, x.dtype), inputs[:2])
    state, batch = jax.device_put((state, batch), jax.tree.map(lambda x: x.sharding, inputs[:2]))
    took = []
    for _ in range(STEPS):
        begun = time.perf_counter()
        state, _ = jax.block_until_ready(compiled(state, batch, key))
        took.append(time.perf_counter() - begun)
    return statistics.median(took[1:])


def apart(axis: str) -> list[dict[str, Any]]:
    """Returns the figures of an axis, measured in a process of its own without a cache of compiled programs."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_COMPILATION_CACHE": "false"}
    if axis == "devices":
        environment |= {"JAX_NUM_CPU_DEVICES": str(max(AXES[axis])), "NPROC": str(2 * max(AXES[axis]))}
    command = [sys.executable, "-m", "benchmarks.scale", "--axis", axis]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def table(axis: str, rows: list[dict[str, Any]]) -> str:
    """Returns the lines of an axis in Markdown."""
    if axis == "scanned depth":
        lines = [f"| {axis} | characters | tracing s | compiling s |", "|---|---|---|---|"]
        for row in rows:
            lines.append(f"| {row['value']} | {row['characters']:,} | {row['trace_s']:.2f} | {row['compile_s']:.2f} |")
        return "\n".join(lines)
    head = ("GFLOPs", "products", "XLA", "state MB", "compiled", "temporaries MB", "update s", "compiling s")
    lines = [f"| {axis} | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for row in rows:
        cells = [str(row["value"]), f"{row['formula'] / 1e9:.2f}"]
        cells += [f"x {row[name] / row['formula']:.3f}" for name in ("products", "xla")]
        cells += [f"{row['state_formula'] / 1e6:.2f}", f"x {row['state'] / row['state_formula']:.3f}"]
        cells += [f"{row['temporaries'] / 1e6:.1f}", f"{row['step_s']:.3f}" if row["step_s"] else "-"]
        cells.append(f"{row['compile_s']:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(results: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Writes the figure: FLOPs by the three counts and seconds, for each axis."""
    from matplotlib.figure import Figure

    image = Figure(figsize=(13, 6), layout="constrained")
    panels = image.subplots(2, 4, sharex="col")
    for (above, below), (axis, rows) in zip(panels.T, list(results.items())[:4], strict=True):
        values = [row["value"] for row in rows]
        for name, label, marker in (("formula", "formula", "-"), ("products", "products", "o"), ("xla", "XLA", "x")):
            above.loglog(values, [row[name] / 1e9 for row in rows], marker, label=label)
        name, label = ("state", "state, MB a device") if axis == "devices" else ("step_s", "seconds of an update")
        below.loglog(values, [row[name] / (1e6 if name == "state" else 1.0) for row in rows], "o-", color="#D55E00")
        if axis == "devices":
            below.loglog(values, [row["state_formula"] / 1e6 for row in rows], "-", color="#0072B2")
        above.set_title(f"{axis}: GFLOPs of an update")
        below.set_title(label)
        below.set_xlabel(axis)
        below.set_xticks(values, [str(value) for value in values])
        for panel in (above, below):
            low, high = panel.get_ylim()
            panel.set_ylim(low / 2, max(2 * high, 20 * low))  # of what hardly changes too, a decade with its label
            panel.yaxis.set_major_formatter("{x:g}")
            panel.minorticks_off()
    panels[0, 0].legend()
    image.savefig(path, dpi=120)


def main() -> None:
    """Prints the tables and writes the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axis", choices=AXES, help="this alone, as JSON lines")
    parser.add_argument("--into", type=Path, default=Path("benchmarks/figures"))
    options = parser.parse_args()
    if options.axis:
        for value in AXES[options.axis]:
            print(json.dumps(measure(options.axis, value)), flush=True)
        return
    results = {}
    for axis in AXES:
        results[axis] = apart(axis)
        print(table(axis, results[axis]), end="\n\n", flush=True)
    options.into.mkdir(parents=True, exist_ok=True)
    draw(results, options.into / "scale.png")


if __name__ == "__main__":
    main()
