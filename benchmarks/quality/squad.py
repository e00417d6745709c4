# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions of SQuAD 2.0 by an imported encoder: trained on some articles, tested on others.

    python launch.py import CHECKPOINT bert
    SEQJAX_DATA=... python -m benchmarks.quality.squad --init-from bert [--answerable] [--steps 800] [--seeds 3]

Half of the development set has 16 articles: 10 to train on, 2 to choose checkpoint and threshold on and 4 to test, so
that no paragraph is in two splits. With --answerable the questions without an answer are left out, as in SQuAD 1.1.
"exact" and "f1" are at threshold 0, those of "tuned" at the threshold that is best on the two articles. Runs that are
complete are not run again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.quality import done, spread, text
from experiments import squad, squad_v2
from seqjax.commands import runs
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment
from seqjax.training.environment import keep_memory

ARTICLES = {"train": 10, "validation": 2, "test": 4}  # in the order of the file


def articles(into: Path, answerable: bool) -> tuple[Source, dict[str, int]]:
    """Writes each split's articles; returns them as a source, and how many questions each has."""
    rest = json.loads(text("squad_v2_dev_half", "dev-v2.0.json.gz"))["data"]
    counts = {}
    for split, number in ARTICLES.items():
        chosen, rest = rest[:number], rest[number:]
        paragraphs = [paragraph for article in chosen for paragraph in article["paragraphs"]]
        for paragraph in paragraphs:
            paragraph["qas"] = [asked for asked in paragraph["qas"] if asked["answers"] or not answerable]
        counts[split] = sum(len(paragraph["qas"]) for paragraph in paragraphs)
        (into / f"{split}.json").write_text(json.dumps({"data": chosen}), encoding="utf-8")
    return Source(*(f"squad:{into / split}.json" for split in ARTICLES)), counts


def tuning(source: Source, init_from: str, answerable: bool, steps: int, seed: int) -> Experiment:
    """Returns the run of a seed."""
    return derive(
        (squad if answerable else squad_v2).experiment(),
        data={"source": source, "length": 256, "overlap": 96, "buckets": (128, 192), "batch": 16, "eval_batch": 32},
        optimizer={"peak_lr": 1e-4, "warmup": steps // 10},
        run={"steps": steps, "log_every": 10, "eval_every": max(steps // 4, 1), "seed": seed},
        init_from=init_from,
    )


def main() -> None:
    """Trains what is missing; prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init-from", required=True, help="the run of an imported encoder")
    parser.add_argument("--answerable", action="store_true", help="only questions that have an answer")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--into", type=Path, default=Path("runs/quality-squad"))
    options = parser.parse_args()
    into = options.into / ("answerable" if options.answerable else "all")
    into.mkdir(parents=True, exist_ok=True)
    source, counts = articles(into, options.answerable)
    reports = []
    for seed in range(options.seeds):
        folder = into / f"seed-{seed}"
        done(tuning(source, options.init_from, options.answerable, options.steps, seed), folder)
        reports.append(runs.evaluate(str(folder), "test", "best")[0]["report"])
    result: dict[str, Any] = {"questions": counts, "steps": options.steps}
    for name in ("exact", "f1"):
        result[name] = [report[name] for report in reports]
        print(f"{name}: {spread(result[name])}")
        if not options.answerable:
            result[f"tuned_{name}"] = [report["tuned"][name] for report in reports]
            print(f"{name}, threshold tuned: {spread(result[f'tuned_{name}'])}")
    print(json.dumps(result))


if __name__ == "__main__":
    keep_memory()
    main()
