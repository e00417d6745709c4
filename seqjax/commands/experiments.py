# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands about experiments that train nothing: list, show, check."""

import json
from typing import Any

import jax
import numpy as np

from seqjax import experiment as experiments
from seqjax import rng, trees
from seqjax.config import differences, to_json
from seqjax.data.pipeline import Dataset
from seqjax.data.stdlib import describe
from seqjax.errors import UserError
from seqjax.models.model import initialise, shapes
from seqjax.training import environment, optimizers
from seqjax.training.parallel import Devices
from seqjax.training.prepare import Prepared, check_metric, prepare
from seqjax.training.run import begin, one_update

Result = tuple[Any, str]


def list_experiments() -> Result:
    """Returns each experiment's name, first line, parameters and hardware."""
    found = []
    for name in experiments.names():
        module = experiments.module(name)
        experiment = module.experiment()
        # The size of a classifier's head is known with the data's labels only.
        tree = shapes(experiment.objective.build(experiment.model)) if experiment.model.vocab_size else {}
        size = trees.count(tree if experiment.objective.reads == "text" else tree.get("trunk", {})) or None
        found.append(
            {"name": name, "summary": experiments.summary(name), "parameters": size, "hardware": module.HARDWARE}
        )
    width = max(len(entry["name"]) for entry in found)
    lines = [
        f"{entry['name']:{width}}  {_millions(entry['parameters']):>7}  {entry['hardware']:14}  {entry['summary']}"
        for entry in found
    ]
    return found, "\n".join(lines)


def show(name: str, overrides: list[str], tiny: bool, diff: bool) -> Result:
    """Returns the configuration, or {key: [base's value, this one's]} of what differs from its base."""
    resolved = to_json(experiments.resolve(name, overrides, tiny))
    result: Any = resolved
    if diff:
        changed = differences(to_json(experiments.base(name)), resolved)
        result = {key: list(pair) for key, pair in changed.items()}
    return result, json.dumps(result, indent=1)


def check(name: str, overrides: list[str], tiny: bool) -> Result:
    """Returns what a run would read, build and need."""
    prepared = prepare(experiments.resolve(name, overrides, tiny))
    experiment, dataset = prepared.experiment, prepared.dataset
    devices = Devices(experiment.parallel)
    devices.check(experiment.data.batches, experiment.run.accumulate, experiment.objective.group)
    check_metric(prepared)
    data: dict[str, Any] = {}
    for split in ("train", "validation"):
        rows = dataset.rows(split)
        filled = int(np.sum(rows.windows[:, 2] - rows.windows[:, 1])) / int(np.sum(rows.widths))
        data[split] = {
            "records": len(dataset.records(split)),
            "tokens": len(rows.corpus.tokens),
            "rows": len(rows),
            "filled": round(filled, 4),
            "hash": rows.corpus.hash,
        }
        if rows.corpus.answers is not None:
            data[split]["wrong_offsets"] = rows.corpus.wrong_offsets
    batch = widest(dataset)
    data["batch"] = {name: list(x.shape) for name, x in batch.items()}
    widths, counts = np.unique(dataset.rows("train").widths, return_counts=True)
    sizes = dataset.batch_rows()
    data["updates_per_epoch"] = sum(n / sizes[width] for width, n in zip(widths.tolist(), counts.tolist(), strict=True))
    if experiment.data.source.train.startswith("stdlib/"):
        data["source"] = describe(experiment.data.source.train.removeprefix("stdlib/"))
    tree = shapes(prepared.model)
    flops = experiment.objective.flops(experiment.model, *experiment.objective.read(batch))
    result = {
        "name": experiment.name,
        "data": data,
        "tokenizer": {"size": dataset.tokenizer.size, "hash": dataset.tokenizer.hash},
        "parameters": trees.count(tree),
        "parameters_by_part": {part: trees.count(tree[part]) for part in tree},
        "flops_per_update": flops,
        "memory": memory(prepared, devices),
        "devices": environment.hardware() | {"used": len(devices)},
    }
    return result, json.dumps(result, indent=1)


def widest(dataset: Dataset) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns the shapes of a batch of the longest rows to train on."""
    widths = dataset.rows("train").widths
    example = dataset.example("train", 0, 0, int(np.argmax(widths)))
    rows, group = dataset.batch_rows()[int(np.max(widths))], dataset.objective.group
    leading = (rows // group, group) if group > 1 else (rows,)
    return {name: jax.ShapeDtypeStruct((*leading, *x.shape), x.dtype) for name, x in example.items()}


def memory(prepared: Prepared, devices: Devices) -> dict[str, int]:
    """Returns bytes per device of one update, as the compiler plans it for the devices that are here.

    Keys: "state" (parameters, optimiser state and step), "batch", "temporaries" (activations, gradients), "total".
    """
    experiment, model, dataset = prepared.experiment, prepared.model, prepared.dataset
    optimizer = optimizers.build(experiment.optimizer, shapes(model), experiment.run.steps)
    batch = {
        name: jax.ShapeDtypeStruct((x.shape[0] // len(devices), *x.shape[1:]), x.dtype)
        for name, x in widest(dataset).items()
    }
    rows = experiment.data.batch // len(devices)  # of a state that goes on from batch to batch
    state = jax.eval_shape(lambda: begin(prepared, optimizer, initialise(model, rng.key(0, "params")), rows))
    key = jax.eval_shape(lambda: rng.key(0, "dropout"))
    update = jax.jit(one_update(prepared, optimizer), donate_argnums=0)
    plan = update.lower(state, batch, key).compile().memory_analysis()
    if plan is None:
        raise UserError(f"the {devices.devices[0].platform} compiler does not say how much memory a program needs")
    state_bytes = sum(int(np.prod(x.shape)) * x.dtype.itemsize for x in jax.tree.leaves(state))
    batch_bytes = sum(int(np.prod(x.shape)) * x.dtype.itemsize for x in batch.values())
    temporaries = int(plan.temp_size_in_bytes)
    total = state_bytes + batch_bytes + temporaries
    return {"state": state_bytes, "batch": batch_bytes, "temporaries": temporaries, "total": total}


def _millions(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:.1f}M"
