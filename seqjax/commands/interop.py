# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that bring published checkpoints in and take runs out: import, export."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp

from seqjax import rng, trees
from seqjax.config import differences, override, to_json
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.interop import folders, publish, stablehlo
from seqjax.models.model import build, initialise
from seqjax.objectives.clm import CLM
from seqjax.objectives.mlm import MLM
from seqjax.objectives.text_to_text import TextToText
from seqjax.training import checkpoint, record
from seqjax.training.step import State
from seqjax.types import Params

Result = tuple[dict[str, Any], str]
LENGTH = 128  # of the rows of an imported run, where the model takes so many


def import_checkpoint(path: str, into: str, overrides: list[str], allow: str) -> Result:
    """Makes a run of a published checkpoint: one that `eval`, `generate`, `export` and `init_from` accept.

    The objective is causal language modelling for a model that reads one way, text to text for an encoder-decoder
    (which `predict` asks, and not `generate`), else masked language modelling; a model without a head gets a fresh one,
    which fine-tuning drops. Overrides say, for instance, on which data `eval` scores.
    """
    folder = Path(into)
    if record.exists(folder) or checkpoint.steps(folder):
        raise UserError(f"'{into}' holds a run already; choose another folder")
    record.check_folder(folder)
    found = folders.load(path, allow)
    if found.tokenizer is None:
        raise UserError(f"'{path}' holds no tokenizer; put its tokenizer.json (or vocab.txt, or *.model) there")
    objective, source = _objective(found.config)
    length = min(LENGTH, found.config.max_length)
    data = Data(source=source, tokenizer=str(folder / "tokenizer"), length=length, layout=objective.layouts[0])
    name = Path(path).resolve().name
    written = Experiment(name=name, data=data, model=found.config, objective=objective)
    experiment = override(written, overrides)
    _check_model(written, experiment)
    params = _complete(experiment, found)
    record.describe(folder, experiment, found.tokenizer, trees.count(params), {})
    checkpoints = checkpoint.Checkpoints(folder, experiment.run)
    state = State(jnp.zeros((), jnp.int32), params, {"none": jnp.zeros((), jnp.int32)})  # it was trained elsewhere
    checkpoints.save(state, 0, SimpleNamespace(get_state=dict), experiment, None)
    checkpoints.close()
    result = {
        "folder": into, "parameters": trees.count(params), "objective": type(objective).__name__.lower(),
        "headless": found.headless, "not_taken": list(found.left),
    }  # fmt: skip
    lines = [f"{into}: a run of {result['objective']} with {result['parameters']:,} parameters, at step 0"]
    if found.headless:
        lines.append("the checkpoint has no vocabulary head; a fresh one stands in")
    if found.left:
        lines.append(f"not taken: {', '.join(found.left)}")
    return result, "\n".join(lines)


def export_run(folder: str, path: str, format: str) -> Result:
    """Writes a run's best checkpoint as `transformers` reads it (safetensors), or as a program (stablehlo)."""
    experiment, params = checkpoint.load(folder)
    tokenizer = tokenizers.load(Path(folder) / "tokenizer")
    model = experiment.objective.build(experiment.model)
    if format == "safetensors":
        kind = publish.write(path, model.trunk.config, experiment.objective.reusable(params), tokenizer)
        return {"folder": path, "architecture": kind}, f"{path}: a {kind} for transformers"
    target = publish.new_folder(path)
    signature = stablehlo.write_program(target, model, params, experiment, tokenizer)
    inputs, outputs = (", ".join(entry["name"] for entry in signature[side]) for side in ("inputs", "outputs"))
    text = f"{path}: a program from ({inputs}) to ({outputs}); see {target / stablehlo.SIGNATURE}"
    return {"folder": path, "signature": signature}, text


def _objective(config: Any) -> tuple[CLM | MLM | TextToText, Source]:
    """Returns what a published model was trained for, and embedded data that are of that kind."""
    if getattr(config, "decoder_layers", 0):
        return TextToText(), Source("stdlib/summary")
    return (CLM() if getattr(config, "causal", False) else MLM()), Source()


def _check_model(written: Experiment, experiment: Experiment) -> None:
    """What the weights mean is not for the command line to say."""
    for key in differences(to_json(written.model), to_json(experiment.model)):
        if key not in publish.TRAINING:
            raise UserError(f"model.{key} is the checkpoint's and cannot be set; leave it out")


def _complete(experiment: Experiment, found: folders.Read) -> Params:
    """The parameters of the whole model: what the checkpoint has not got begins afresh."""
    fresh = initialise(build(found.config), rng.key(experiment.run.seed, "params"))
    params, _ = trees.merge(fresh, found.params, ".*")  # `load` has been strict already
    return trees.stack_layers(params) if getattr(experiment.model, "scan", False) else params
