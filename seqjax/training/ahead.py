# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training step as a compiled program before there is anything to run it on: its memory, traffic and speed limit.

`compiled_for` needs libtpu, the TPU's compiler, which compiles without a TPU (`pip install -r requirements-tpu.txt`).
"""

import dataclasses
import math
import os
import re
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from seqjax import rng, trees
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.records import from_records
from seqjax.data.tokenizer_engines import SPECIAL_NAMES
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.models.model import initialise, shapes
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.training import optimizers
from seqjax.training.chips import CHIPS, Chip, roofline
from seqjax.training.hlo import collectives, product_flops
from seqjax.training.parallel import Devices
from seqjax.training.prepare import Prepared
from seqjax.training.run import begin, one_update
from seqjax.training.step import State

# Without these libtpu looks for the metadata of a machine that it is not on, and allows one process at a time.
_QUIET = {
    "TPU_SKIP_MDS_QUERY": "1", "TPU_ACCELERATOR_TYPE": "v5litepod-4", "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0", "TPU_MIN_LOG_LEVEL": "3", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}  # fmt: skip


def program(prepared: Prepared, devices: Devices) -> tuple[Any, tuple[Any, Any, Any]]:
    """Returns the update that a run compiles, and the shapes of what it is called with: state, batch, key.

    The batch is one of the longest rows.
    """
    experiment = prepared.experiment
    devices.check(experiment.data.batches, experiment.run.accumulate, experiment.objective.group)
    devices.cover(shapes(prepared.model))
    optimizer = optimizers.build(experiment.optimizer, shapes(prepared.model), experiment.run.steps)
    state = devices.shaped(state_shapes(prepared))
    batch = devices.put_shapes(widest(prepared.dataset))
    key = jax.eval_shape(lambda: rng.key(0, "dropout"))
    return devices.spread(one_update(prepared, optimizer), donate=True), (state, batch, key)


def state_shapes(prepared: Prepared) -> State:
    """Returns the shapes of all that an update changes."""
    experiment, model = prepared.experiment, prepared.model
    optimizer = optimizers.build(experiment.optimizer, shapes(model), experiment.run.steps)
    rows = experiment.data.batch  # of a state that goes on from batch to batch
    return jax.eval_shape(lambda: begin(prepared, optimizer, initialise(model, rng.key(0, "params")), rows))


def widest(dataset: Dataset) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns the shapes of a batch of the longest rows to train on."""
    widths = dataset.rows("train").widths
    example = dataset.example("train", 0, 0, int(np.argmax(widths)))
    rows, group = dataset.batch_rows()[int(np.max(widths))], dataset.objective.group
    leading = (rows // group, group) if group > 1 else (rows,)
    return {name: jax.ShapeDtypeStruct((*leading, *x.shape), x.dtype) for name, x in example.items()}


def compiled_for(
    experiment: Experiment, topology: str, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Returns what the compiler makes of an experiment's update for a TPU topology that need not be here.

    Args:
      experiment: as written; texts of its row lengths stand in for its data.
      topology: "v5e:4x4", "v4:2x2x2" and the like: a generation of CHIPS and the chips along each axis.
      say: is told what is being done; compiling takes up to minutes.

    Raises:
      UserError: no libtpu, an unknown topology, settings that do not divide, or a program that does not fit.
    """
    whole, _ = named(topology)
    chips, cores = _devices(topology)
    chip = whole.part(cores)
    devices = Devices(experiment.parallel, chips)
    prepared = standing_in(experiment)
    update, inputs = program(prepared, devices)
    say(f"tracing {experiment.name}")
    jaxpr, lowered = jax.make_jaxpr(update)(*inputs), update.lower(*inputs)  # the second trace is in JAX's cache
    say(f"compiling for {len(devices)} devices of {topology}")
    start = time.perf_counter()
    try:
        compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        raise _too_large(error, experiment, devices, topology) from None
    seconds = time.perf_counter() - start
    plan = compiled.memory_analysis()
    outputs = plan.output_size_in_bytes - plan.alias_size_in_bytes  # what does not take the state's place
    used = plan.argument_size_in_bytes + outputs + plan.temp_size_in_bytes
    rows, length = prepared.dataset.objective.read(inputs[1])
    model_flops = prepared.dataset.objective.flops(prepared.experiment.model, rows, length)
    flops = product_flops(jaxpr)
    sent = collectives(compiled.as_text(), len(devices))
    # Each argument is read, each result written, and each temporary written and read, once at least.
    moved = plan.argument_size_in_bytes + plan.output_size_in_bytes + 2 * plan.temp_size_in_bytes
    roofs = roofline(chip, flops / len(devices), moved, sum(each["bytes"] for each in sent.values()))
    return {
        "name": experiment.name,
        "topology": topology,
        "devices": len(devices),
        "fits": True,
        "parameters": trees.count(shapes(prepared.model)),
        "memory": {
            "arguments": plan.argument_size_in_bytes, "temporaries": plan.temp_size_in_bytes, "outputs": outputs,
            "total": used, "hbm": chip.hbm,
        },
        "compile_s": seconds,
        "model_flops": model_flops,
        "flops": flops,
        "collectives": sent,
        "roofline_s": roofs,
        "mfu_bound": model_flops / len(devices) / chip.flops / max(roofs.values()),
    }  # fmt: skip


def standing_in(experiment: Experiment) -> Prepared:
    """Returns an experiment with made text instead of its data: batches of the same shapes, a model of the same size.

    Raises:
      UserError: an experiment that takes its model from a run or its classes from its data.
    """
    objective, data = experiment.objective, experiment.data
    if experiment.init_from or objective.reads not in ("text", "pair"):
        raise UserError(f"{experiment.name} takes its model or its classes from elsewhere; compile what it begins with")
    config = dataclasses.replace(data, tokenizer="bytes", source_tokenizer="", limit=0)
    tokenizer: Any = tokenizers.build("bytes", lambda: [])
    many = max(rows for _, rows in data.batches) if data.layout in ("bucket", "strips") else 4
    longest = "a" * (data.length if objective.reads == "pair" else 2 * objective.row_length(data.length))
    records = from_records([{"text": longest, "pair": longest}] * (2 * many))
    model = experiment.model
    if not model.vocab_size:
        model = dataclasses.replace(model, vocab_size=_named(data, "", objective.extra_ids(tokenizer)))
    if data.source_tokenizer and isinstance(model, TransformerConfig | Seq2SeqConfig):
        model = dataclasses.replace(model, source_vocab_size=model.source_vocab_size or _named(data, "source_"))
    experiment = dataclasses.replace(experiment, model=model)
    dataset = Dataset(config, objective, tokenizer, lambda split: records)
    return Prepared(experiment, dataset, objective.build(model), None)


def _named(data: Data, side: str, extra: int = 0) -> int:
    """Returns the size that data.tokenizer or data.source_tokenizer names."""
    name = getattr(data, f"{side}tokenizer")
    named = re.fullmatch(r"([\w-]+):(\d+(?:_\d+)*)", name)
    if not named:
        raise UserError(f"data.{side}tokenizer={name} does not say its size; set model.{side}vocab_size")
    special = len(SPECIAL_NAMES) if named[1] == "words" else 0  # which the number of words does not count
    return int(named[2]) + special + extra


def named(topology: str) -> tuple[Chip, int]:
    """Returns the chip of a topology, and how many there are.

    Raises:
      UserError: the name is none.
    """
    kind, _, shape = topology.partition(":")
    if kind not in CHIPS or not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)+", shape):
        raise UserError(f"--topology {topology}: write a generation ({', '.join(CHIPS)}) and its chips, as v5e:4x4")
    return CHIPS[kind], math.prod(int(size) for size in shape.split("x"))


def _devices(name: str) -> tuple[list[Any], int]:
    """Returns the devices of a topology, and how many of them a chip shows."""
    try:
        import libtpu  # noqa: F401
    except ImportError:
        raise UserError(
            "compiling for TPUs needs libtpu: pip install -r requirements-tpu.txt; "
            f"without it `launch.py check NAME --topology {name}` says how much memory it needs at most"
        ) from None
    from jax.experimental import topologies

    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    jax.config.update("jax_platforms", "cpu")  # nothing is run: no TPU is looked for
    jax.config.update("jax_enable_compilation_cache", False)  # what is compiled for others cannot be loaded here
    single = set(name.partition(":")[2].split("x")) == {"1"}
    options = {"chips_per_host_bounds": (1, 1, 1)} if single else {}
    try:
        devices: list[Any] = topologies.get_topology_desc(platform="tpu", topology_name=name, **options).devices
    except jax.errors.JaxRuntimeError as error:
        raise UserError(f"--topology {name}: {str(error).splitlines()[0]}") from None
    cores = [device.core_on_chip for device in devices]
    return devices, max(cores) + 1


def _too_large(error: Exception, experiment: Experiment, devices: Devices, topology: str) -> Exception:
    """Returns the compiler's verdict as advice; another error as it is."""
    text = str(error)
    if "RESOURCE_EXHAUSTED" not in text:
        return error
    sizes = re.findall(r"\b[\d.]+[KMGT]\b", text)
    needs = f"{sizes[0]} where a chip has {sizes[-1]}" if len(sizes) > 1 else text.splitlines()[0]
    advice = " or ".join(smaller(experiment, devices))
    return UserError(f"{experiment.name} does not fit {topology}: it needs {needs}; try {advice}")


def smaller(experiment: Experiment, devices: Devices) -> list[str]:
    """Returns settings that would have an update need less memory of each device, those that are free first."""
    stored, advice = getattr(experiment.model, "remat", "full"), []
    if stored != "full":
        advice.append("model.remat=full" if stored == "dots" else "model.remat=dots")
    parts = devices.parts * 2 * experiment.run.accumulate * experiment.objective.group
    if all(rows % parts == 0 for _, rows in experiment.data.batches):
        advice.append(f"run.accumulate={2 * experiment.run.accumulate}")
    if not getattr(experiment.objective, "chunk", 1):
        advice.append("objective.chunk=2048")
    if len(devices) % (2 * experiment.parallel.fsdp) == 0:
        advice.append(f"parallel=mesh parallel.fsdp={2 * experiment.parallel.fsdp}")
    return advice or ["a smaller data.batch or more chips"]
