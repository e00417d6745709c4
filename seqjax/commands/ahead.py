# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command compile: an experiment's update for TPUs that need not be here."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seqjax import experiment as experiments
from seqjax.training.ahead import compiled_for

Result = tuple[Any, str]
PATIENCE = 10.0  # seconds between two signs of life


def compile_ahead(name: str, overrides: list[str], tiny: bool, topology: str) -> Result:
    """Returns whether the update fits a topology, its memory, its traffic, and how fast it can be at best."""
    with _saying() as say:
        result = compiled_for(experiments.resolve(name, overrides, tiny), topology, say)
    return result, _text(result)


@contextmanager
def _saying() -> Iterator[Any]:
    """Gives a function that says on stderr what is being done, again and again until the next is."""
    now, done = ["starting"], threading.Event()

    def say(text: str) -> None:
        now[0] = text
        print(f"{text} ...", file=sys.stderr, flush=True)

    def repeat() -> None:
        seconds = 0.0
        while not done.wait(PATIENCE):
            seconds += PATIENCE
            print(f"{now[0]} ... {seconds:.0f} s in all", file=sys.stderr, flush=True)

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield say
    finally:
        done.set()
        thread.join()


def _text(result: dict[str, Any]) -> str:
    memory, roofs = result["memory"], result["roofline_s"]
    lines = [
        f"{result['name']} fits {result['topology']}: {_gib(memory['total'])} of {_gib(memory['hbm'])} GiB on each of "
        f"{result['devices']} devices",
        f"  parameters       {result['parameters']:,}",
        f"  arguments        {_gib(memory['arguments'])} GiB a device (state and batch)",
        f"  temporaries      {_gib(memory['temporaries'])} GiB a device",
        f"  other results    {_gib(memory['outputs'])} GiB a device",
        f"  compiled in      {result['compile_s']:.1f} s",
        f"  model FLOPs      {result['model_flops']:.3e} an update (analytic)",
        f"  products' FLOPs  {result['flops']:.3e} an update (traced, what is computed anew included)",
    ]
    for kind, each in sorted(result["collectives"].items()):
        lines.append(f"  {kind:16} {each['count']:,} an update, {each['bytes'] / 1e9:.3f} GB sent by a device")
    bound = max(roofs, key=lambda name: roofs[name])
    lines.append("  roofline         " + ", ".join(f"{name} {1e3 * value:.2f} ms" for name, value in roofs.items()))
    lines.append(f"  MFU              at most {result['mfu_bound']:.1%}, bound by {bound}")
    return "\n".join(lines)


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f}"
