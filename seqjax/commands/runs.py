# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that make or use a run: train, eval, generate."""

from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.data import tokenizers
from seqjax.decoding.generate import generate as continue_prompts
from seqjax.decoding.samplers import sampler
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor, report, scorer
from seqjax.evaluation.metrics import format_report
from seqjax.models.model import build
from seqjax.objectives.clm import CLM
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.training import checkpoint, run
from seqjax.training.finish import finish
from seqjax.training.parallel import Devices
from seqjax.training.prepare import prepare

Result = tuple[dict[str, Any], str]


def train(name: str, overrides: list[str], tiny: bool, into: str | None, quiet: bool) -> Result:
    """Trains; the folder is runs/NAME (runs/NAME-tiny for the tiny version) unless given."""
    folder = Path(into) if into else Path("runs") / (f"{name}-tiny" if tiny else name)
    result = finish(run.train(experiments.resolve(name, overrides, tiny), folder, quiet))
    best = f"; best {result['best']:.4f} at step {result['best_step']}" if result["best_step"] else ""
    text = f"{result['status']} at step {result['step']} of {result['steps']}{best}; see {folder / 'report.html'}"
    if result["status"] == "interrupted":
        text += f"\nsaved; the same command goes on from step {result['step']}"
    return result, text


def evaluate(folder: str, split: str, step: str) -> Result:
    """Scores a checkpoint on a split; for classification and tagging by class too."""
    experiment, params = checkpoint.load(folder, int(step) if step.isdecimal() else step)
    prepared = prepare(experiment, Path(folder) / "tokenizer")
    dataset, model, devices = prepared.dataset, prepared.model, Devices(experiment.parallel)
    result: dict[str, Any] = {
        "split": split,
        "scores": scorer(model, dataset, devices, experiment.run.seed)(params, split),
    }
    text = "\n".join(f"{name:14} {value:.6f}" for name, value in result["scores"].items())
    if isinstance(experiment.objective, (Classification, Tagging)):
        result["report"] = report(experiment.objective, predictor(model, dataset, devices)(params, split))
        text += "\n\n" + format_report(result["report"])
    return result, text


def generate(folder: str, prompt: str, max_new: int, temperature: float, top_k: int, top_p: float, seed: int) -> Result:
    """Continues a prompt."""
    if not 0 <= seed < experiments.SEEDS:
        raise UserError(f"--seed {seed} must be at least 0 and less than {experiments.SEEDS}")
    chosen = sampler(temperature, top_k, top_p)
    experiment, params = checkpoint.load(folder)
    if not isinstance(experiment.objective, CLM):
        raise UserError(f"the run in '{folder}' is not of a causal language model; `generate` needs one")
    tokenizer = tokenizers.load(Path(folder) / "tokenizer")
    ids = tokenizer.encode(prompt)
    if tokenizer.bos >= 0 and experiment.data.layout != "stream":  # as documents began in training
        ids = [tokenizer.bos, *ids]
    if not ids:
        raise UserError("the prompt is empty; give at least one character with --prompt")
    (new,) = continue_prompts(
        build(experiment.model), params, [ids], sampler=chosen, new=max_new, seed=seed,
        end=tokenizer.eos, size=tokenizer.size,
    )  # fmt: skip
    text = tokenizer.decode(new)
    return {"prompt": prompt, "text": text, "tokens": len(new)}, prompt + text
