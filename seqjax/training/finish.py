# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is written when a run has ended: result.json, curves.png and report.html."""

import json
import shlex
from pathlib import Path
from typing import Any

import jax

from seqjax import experiment as experiments
from seqjax.config import differences, to_json
from seqjax.evaluation.tasks.table import task_of
from seqjax.experiment import Experiment
from seqjax.training import checkpoint, processes, record
from seqjax.training.parallel import Devices
from seqjax.training.prepare import EVALUATED, prepare, reopen
from seqjax.training.run import adopted
from seqjax.visualise.confusion import plot_confusion
from seqjax.visualise.curves import plot_curves
from seqjax.visualise.report import write_report


def finish(outcome: dict[str, Any]) -> dict[str, Any]:
    """Returns the outcome of `train`, with the scores of its best checkpoint by class, or of the texts it says.

    "scores" has all scores "before" and "after", each of the same rows: those of "report" where the run began with
    another's parameters, else those of metrics.jsonl, and of "report" what is not there. A run that was interrupted
    goes on later, and is scored then.

    Writes result.json, curves.png, confusion.png and report.html into the run's folder; of several processes the first
    does.
    """
    folder = Path(outcome["folder"])
    run = record.read(folder)
    experiment = run.experiment
    scores = {"before": _evaluated(run, 0), "after": _evaluated(run, outcome["best_step"])}
    outcome = outcome | {"before": scores["before"].get(experiment.run.metric)}
    if outcome["status"] != "interrupted" and (task := task_of(experiment.objective)):
        tuned = bool(experiment.init_from)
        prepared = prepare(experiment, folder / "tokenizer") if tuned else reopen(experiment, folder)
        devices = Devices(experiment.parallel.here(jax.device_count()))  # it may have gone on elsewhere than it began
        report = task.reporter(prepared.model, prepared.dataset, devices)
        outcome["report"] = report(checkpoint.load(folder)[1], EVALUATED)
        found = task.headlines(outcome["report"])
        scores["after"] |= {name: score for name, score in found.items() if tuned or name not in scores["after"]}
        if tuned:
            scores["before"] |= task.headlines(report(adopted(prepared)[0], EVALUATED))
    outcome["scores"] = scores
    if not processes.first():
        return outcome
    (folder / "result.json").write_text(json.dumps(outcome, indent=1) + "\n")
    plot_curves(run.metrics, folder / "curves.png")
    if "confusion" in (found := outcome.get("report", {})):
        plot_confusion(found["confusion"], found["labels"], folder / "confusion.png")
    write_report(folder, _context(run, outcome))
    return outcome


def _evaluated(run: record.Recorded, step: int | None) -> dict[str, float]:
    """Returns the scores of the evaluation after so many updates, by name; none where there was none."""
    found = {name: value for line in run.metrics if line["step"] == step for name, value in line.items()}
    return {name.removeprefix("eval/"): value for name, value in found.items() if name.startswith("eval/")}


def _context(run: record.Recorded, outcome: dict[str, Any]) -> dict[str, Any]:
    experiment = run.experiment
    figures = {name: value for name, value in outcome.items() if isinstance(value, float) and "/" in name}
    base = to_json(experiments.base(experiment.name) if experiment.name in experiments.names() else Experiment())
    return {
        "name": experiment.name,
        "summary": experiments.summary(experiment.name),
        "status": outcome["status"],
        "step": outcome["step"],
        "steps": outcome["steps"],
        "figures": figures | {"parameters": run.facts["parameters"]},
        **outcome["scores"],
        "report": outcome.get("report", {}),
        "samples": [
            {"prompt": f"{each['source']}\n", "text": each["predicted"]}
            for each in outcome.get("report", {}).get("samples", ())
        ],
        "config": run.config,
        "changes": differences(base, run.config),
        "environment": {name: run.facts[name] for name in ("versions", "git", "hardware", "switches")},
        "hashes": {name: run.facts[name] for name in ("data", "tokenizer")},
        "seeds": {"run": run.facts["seed"]},
        "commands": {
            "resume": shlex.join(["python", *run.facts["command"]]),
            "evaluate": f"python launch.py eval {shlex.quote(str(run.folder))}",
            "reproduce": f"python launch.py reproduce {shlex.quote(str(run.folder))}",
        },
    }
