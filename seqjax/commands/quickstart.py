# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The main job on the embedded text: pretrain two models, fine-tune one with and without pretraining, generate."""

import dataclasses
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.commands import runs
from seqjax.errors import UserError
from seqjax.training.finish import finish
from seqjax.training.run import train

Result = tuple[dict[str, Any], str]
PROMPT = "def read("


def quickstart(into: str | None, quiet: bool, seeds: int) -> Result:
    """Returns {"pretrained", "scratch" (test accuracy on `package`, seeds' means), "bits_per_byte", "seconds", ...}.

    Fine-tuning from the checkpoint and from random initialisation have the same model, data, updates and settings. The
    test files were seen by no model.
    """
    if seeds < 1:
        raise UserError(f"--seeds {seeds} must be at least 1")
    begun = time.perf_counter()
    folder = Path(into or "runs/quickstart")

    legs = [
        (1, "pretraining a masked language model", "mlm", experiments.resolve("quickstart_mlm")),
        (2, "pretraining a causal language model", "clm", experiments.resolve("quickstart_clm")),
    ]
    tuned: dict[str, list[str]] = {"pretrained": [], "scratch": []}  # names of legs
    for number, way, source in ((3, "pretrained", str(folder / "mlm")), (4, "scratch", "")):
        base = dataclasses.replace(experiments.resolve("quickstart_package"), init_from=source)
        for seed in range(seeds):
            experiment = dataclasses.replace(base, run=dataclasses.replace(base.run, seed=seed))
            title = f"which package is it from? fine-tuning {way}" + (f", seed {seed}" if seeds > 1 else "")
            tuned[way].append(f"package-{way}" + (f"-{seed}" if seeds > 1 else ""))
            legs.append((number, title, tuned[way][-1], experiment))
    for number, title, name, experiment in legs:
        if not quiet:
            print(f"[{number}/4] {title}", file=sys.stderr)
        outcome = finish(train(experiment, folder / name, quiet))
        if outcome["status"] == "interrupted":
            return outcome, "saved; the same command goes on from here"
    scores = {
        way: [runs.evaluate(str(folder / name), "test", "best")[0]["scores"]["accuracy"] for name in names]
        for way, names in tuned.items()
    }
    language = runs.evaluate(str(folder / "clm"), "test", "best")[0]["scores"]
    sample = runs.generate(str(folder / "clm"), PROMPT, 80, 0.7, 0, 0.95, 0)[0]["text"]
    result: dict[str, Any] = {way: statistics.fmean(values) for way, values in scores.items()}
    if seeds > 1:
        result |= {f"{way}_sd": statistics.stdev(values) for way, values in scores.items()} | {"seeds": scores}
    result |= {
        "bits_per_byte": language["bits_per_byte"],
        "chance": _commonest(folder / "package-scratch" if seeds == 1 else folder / "package-scratch-0"),
        "sample": sample,
        "seconds": time.perf_counter() - begun,
        "folder": str(folder),
    }
    (folder / "quickstart.json").write_text(json.dumps(result, indent=1) + "\n")
    return result, _text(result, folder, seeds)


def _commonest(run: Path) -> float:
    """The accuracy of always saying the commonest class of the test split."""
    report = runs.evaluate(str(run), "test", "best")[0]["report"]
    supports = [scores["support"] for scores in report["per_class"].values()]
    return max(supports) / sum(supports)


def _text(result: dict[str, Any], folder: Path, seeds: int) -> str:
    def shown(way: str) -> str:
        return f"{result[way]:.3f}" + (f" +- {result[f'{way}_sd']:.3f}" if seeds > 1 else "")

    first = "package-pretrained" + ("-0" if seeds > 1 else "")
    return "\n".join(
        [
            "",
            "which package is this source from? (accuracy on held-out files)",
            f"  fine-tuned from the checkpoint    {shown('pretrained')}",
            f"  the same from scratch             {shown('scratch')}",
            f"  always the commonest              {result['chance']:.3f}",
            f"causal language model, held-out files: {result['bits_per_byte']:.3f} bits per byte; it writes",
            *(f"  | {line}" for line in (PROMPT + result["sample"]).splitlines()),
            f"done in {result['seconds']:.0f} s; curves and scores by class: {folder / first / 'report.html'}",
        ]
    )
