# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions of SQuAD 2.0 by an imported encoder: trained on some articles, tested on others.

    python launch.py import CHECKPOINT bert
    SEQJAX_DATA=... python -m benchmarks.quality.squad --init-from bert [--steps 600 300] [--seeds 3]

Half of the development set has 16 articles: 10 to train on, 2 to choose checkpoint and threshold on and 4 to test, so
that no paragraph is in two splits. A seed is two runs: one of the questions that have an answer, as in SQuAD 1.1, and
from there one of all questions. "exact" and "f1" are at threshold 0, those of "tuned" at the threshold that is best on
the two articles. Runs that are complete are not run again.
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


def tuning(base: Experiment, source: Source, init_from: str, steps: int, seed: int) -> Experiment:
    """Returns the run of a seed."""
    return derive(
        base,
        data={
            "source": source, "length": 256, "overlap": 96, "buckets": (128, 160, 192, 224),
            "batch": 16, "eval_batch": 32,
        },
        optimizer={"peak_lr": 1e-4, "warmup": steps // 10},
        run={"steps": steps, "log_every": 10, "eval_every": max(steps // 4, 1), "seed": seed},
        init_from=init_from,
    )  # fmt: skip


def main() -> None:
    """Trains what is missing; prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init-from", required=True, help="the run of an imported encoder")
    parser.add_argument("--steps", type=int, nargs=2, default=(600, 300), help="of the two runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--into", type=Path, default=Path("runs/quality-squad"))
    options = parser.parse_args()
    result: dict[str, Any] = {"steps": options.steps}
    begins = [options.init_from] * options.seeds
    bases = {"answerable": squad.experiment(), "all": squad_v2.experiment()}
    for (name, base), steps in zip(bases.items(), options.steps, strict=True):
        into = options.into / name
        into.mkdir(parents=True, exist_ok=True)
        source, counts = articles(into, answerable=name == "answerable")
        reports = []
        for seed, init_from in enumerate(begins):
            begins[seed] = str(into / f"seed-{seed}")
            done(tuning(base, source, init_from, steps, seed), Path(begins[seed]))
            reports.append(runs.evaluate(begins[seed], "test", "best")[0]["report"])
        scores = {score: [report[score] for report in reports] for score in ("exact", "f1")}
        if name == "all":
            scores |= {f"tuned_{score}": [report["tuned"][score] for report in reports] for score in ("exact", "f1")}
        for score, values in scores.items():
            print(f"{name}, {score}: {spread(values)}")
        result[name] = {"questions": counts} | scores
    print(json.dumps(result))


if __name__ == "__main__":
    keep_memory()
    main()
