# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs for quality on real data, each a command that goes on where it was interrupted; data are in SEQJAX_DATA."""

import gzip
import json
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from seqjax.commands import runs
from seqjax.experiment import Experiment
from seqjax.training.finish import finish
from seqjax.training.run import train


def data_folder() -> Path:
    """Returns the folder that the environment variable SEQJAX_DATA names."""
    if "SEQJAX_DATA" not in os.environ:
        raise SystemExit("set SEQJAX_DATA to the folder with the data sets")
    return Path(os.environ["SEQJAX_DATA"])


def text(*parts: str) -> str:
    """Returns a gzipped text of the data folder."""
    return gzip.decompress(data_folder().joinpath(*parts).read_bytes()).decode()


def jsonl(path: Path, records: Iterable[Mapping[str, str]]) -> str:
    """Writes records and returns their spec as a source."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return f"jsonl:{path}"


def done(experiment: Experiment, folder: Path) -> None:
    """Trains, or goes on, or leaves alone what is complete."""
    if finish(train(experiment, folder))["status"] == "interrupted":
        raise SystemExit("interrupted; the same command goes on from here")


def accuracies(tuning: Callable[[int], Experiment], folder: str, seeds: int) -> list[float]:
    """Returns the accuracy on test of the run of each seed, the best checkpoint's; its folder is FOLDER-SEED."""
    scores = []
    for seed in range(seeds):
        done(tuning(seed), Path(f"{folder}-{seed}"))
        scores.append(runs.evaluate(f"{folder}-{seed}", "test", "best")[0]["scores"]["accuracy"])
    return scores


def spread(scores: Sequence[float]) -> str:
    """Returns mean and standard deviation."""
    deviation = statistics.stdev(scores) if len(scores) > 1 else float("nan")
    return f"{statistics.fmean(scores):.3f} +- {deviation:.3f}"
