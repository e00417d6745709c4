# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands about experiments that train nothing: list, show, check."""

import json
import math
from typing import Any

import jax
import numpy as np

from seqjax import experiment as experiments
from seqjax import trees
from seqjax.config import differences, to_json
from seqjax.data.stdlib import describe
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.models.model import shapes
from seqjax.training import environment, layout
from seqjax.training.ahead import named, program, smaller, standing_in, state_shapes, widest
from seqjax.training.parallel import Devices
from seqjax.training.prepare import Prepared, check_metric, prepare

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
        changed = differences(to_json(experiments.base(name, tiny)), resolved)
        result = {key: list(pair) for key, pair in changed.items()}
    return result, json.dumps(result, indent=1)


def check(name: str, overrides: list[str], tiny: bool, topology: str | None = None) -> Result:
    """Returns what a run would read, build and need; or whether an update fits TPUs, without data, TPU or libtpu."""
    if topology is not None:
        return _estimate(experiments.resolve(name, overrides, tiny), topology)
    prepared = prepare(experiments.resolve(name, overrides, tiny))
    experiment, dataset, tokenizer = prepared.experiment, prepared.dataset, prepared.dataset.tokenizer
    devices = Devices(experiment.parallel)
    check_metric(prepared)
    data: dict[str, Any] = {}
    for split in ("train", "validation"):
        rows = dataset.rows(split)
        filled = int(np.sum(rows.windows[:, 2] - rows.windows[:, 1])) / int(np.sum(rows.widths))
        data[split] = {
            "records": len(dataset.chosen(split)),
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
    tree, state = shapes(prepared.model), state_shapes(prepared)
    flops = experiment.objective.flops(experiment.model, *experiment.objective.read(batch))
    result = {
        "name": experiment.name,
        "data": data,
        "tokenizer": {"size": tokenizer.size, "source_size": tokenizer.source.size, "hash": tokenizer.hash},
        "parameters": trees.count(tree),
        "parameters_by_part": {part: trees.count(tree[part]) for part in tree},
        "flops_per_update": flops,
        "memory": memory(prepared, devices),
        "bytes_by_group": layout.bytes_by_group(tree, state.opt_state, devices.sizes, devices.divides),
        "devices": environment.hardware() | {"used": len(devices)},
    }
    return result, json.dumps(result, indent=1)


def _estimate(experiment: Experiment, topology: str) -> Result:
    """Returns what an update needs of each chip at most: as the compiler for CPUs plans it for so many devices.

    That for TPUs (`compile`) needs less: what is bfloat16 is not float32 there, and scores of attention are not stored.
    """
    chip, chips = named(topology)
    jax.config.update("jax_platforms", "cpu")
    try:
        jax.config.update("jax_num_cpu_devices", chips)
    except RuntimeError:
        raise UserError("--topology needs a process of its own: JAX has started with other devices") from None
    devices, prepared = Devices(experiment.parallel), standing_in(experiment)
    found, tree = memory(prepared, devices), shapes(prepared.model)
    fits = found["total"] <= chip.hbm
    result = {
        "name": experiment.name,
        "topology": topology,
        "parameters": trees.count(tree),
        "memory_at_most": found | {"hbm": int(chip.hbm)},
        "bytes_by_group": layout.bytes_by_group(tree, state_shapes(prepared).opt_state, devices.sizes, devices.divides),
        "fits": "yes" if fits else f"perhaps; `compile` knows; or try {' or '.join(smaller(experiment, devices))}",
    }
    return result, json.dumps(result, indent=1)


def memory(prepared: Prepared, devices: Devices) -> dict[str, int]:
    """Returns bytes per device of one update, as the compiler plans it for the devices that are here.

    Keys: "state" (parameters, optimiser state and step), "batch", "temporaries" (activations, gradients), "total".
    """
    update, (state, batch, key) = program(prepared, devices)
    plan = update.lower(state, batch, key).compile().memory_analysis()
    if plan is None:
        raise UserError(f"the {devices.devices[0].platform} compiler does not say how much memory a program needs")
    held = sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize for x in jax.tree.leaves(state))
    rows = sum(x.size * x.dtype.itemsize for x in batch.values()) // devices.parts
    temporaries = int(plan.temp_size_in_bytes)
    return {"state": held, "batch": rows, "temporaries": temporaries, "total": held + rows + temporaries}


def _millions(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:.1f}M"
