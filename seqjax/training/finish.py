# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is written when a run has ended: result.json, curves.png and report.html."""

import json
import shlex
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.config import differences, to_json
from seqjax.evaluation.evaluate import REPORTED, reported
from seqjax.experiment import Experiment
from seqjax.training import checkpoint, processes, record
from seqjax.training.parallel import Devices
from seqjax.training.prepare import EVALUATED, reopen
from seqjax.visualise.curves import plot_curves
from seqjax.visualise.report import write_report


def finish(outcome: dict[str, Any]) -> dict[str, Any]:
    """Returns the outcome of `train`, with the scores of its best checkpoint by class, or of the texts it says.

    A run that was interrupted goes on later, and is scored then.

    Writes result.json, curves.png and report.html into the run's folder; of several processes the first does.
    """
    folder = Path(outcome["folder"])
    run = record.read(folder)
    experiment = run.experiment
    first = next((line for line in run.metrics if line["step"] == 0 and f"eval/{experiment.run.metric}" in line), None)
    outcome = outcome | {"before": first and first[f"eval/{experiment.run.metric}"]}
    if outcome["status"] != "interrupted" and isinstance(experiment.objective, REPORTED):
        prepared = reopen(experiment, folder)
        params, devices = checkpoint.load(folder)[1], Devices(experiment.parallel)
        outcome["report"] = reported(prepared.model, prepared.dataset, devices, params, EVALUATED)
    if not processes.first():
        return outcome
    (folder / "result.json").write_text(json.dumps(outcome, indent=1) + "\n")
    plot_curves(run.metrics, folder / "curves.png")
    write_report(folder, _context(run, outcome))
    return outcome


def _context(run: record.Recorded, outcome: dict[str, Any]) -> dict[str, Any]:
    experiment = run.experiment
    metric = experiment.run.metric
    figures = {name: value for name, value in outcome.items() if isinstance(value, float) and "/" in name}
    base = to_json(experiments.base(experiment.name) if experiment.name in experiments.names() else Experiment())
    return {
        "name": experiment.name,
        "summary": experiments.summary(experiment.name),
        "status": outcome["status"],
        "step": outcome["step"],
        "steps": outcome["steps"],
        "figures": figures | {"parameters": run.facts["parameters"]},
        "before": {} if outcome["before"] is None else {metric: outcome["before"]},
        "after": {} if outcome["best"] is None else {metric: outcome["best"]},
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
