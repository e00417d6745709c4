# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that make or use a run: train, eval, generate."""

from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.data import tokenizers
from seqjax.decoding.beam import beam_search
from seqjax.decoding.generate import generate as continue_prompts
from seqjax.decoding.samplers import sampler
from seqjax.decoding.stopping import before, contains
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import REPORTED, format_reported, reported, scorer
from seqjax.models.model import build
from seqjax.objectives.clm import CLM
from seqjax.objectives.span_corruption import target_start
from seqjax.objectives.text_to_text import TextToText
from seqjax.training import checkpoint, run
from seqjax.training.finish import finish
from seqjax.training.parallel import Devices
from seqjax.training.prepare import reopen

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
    """Scores a checkpoint on a split; classes and tags one by one too, and the texts that a model says."""
    experiment, params = checkpoint.load(folder, int(step) if step.isdecimal() else step)
    prepared = reopen(experiment, Path(folder))
    dataset, model, devices = prepared.dataset, prepared.model, Devices(experiment.parallel)
    result: dict[str, Any] = {
        "split": split,
        "scores": scorer(model, dataset, devices, experiment.run.seed)(params, split),
    }
    text = "\n".join(f"{name:14} {value:.6f}" for name, value in result["scores"].items())
    if isinstance(experiment.objective, REPORTED):
        result["report"] = reported(model, dataset, devices, params, split)
        text += "\n\n" + format_reported(result["report"])
    return result, text


def generate(
    folder: str,
    prompt: str,
    max_new: int,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    *,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    stop: list[str] | None = None,
    beams: int | None = None,
    length_penalty: float | None = None,
    n_best: int | None = None,
) -> Result:
    """Continues a prompt by sampling or, with `beams`, by beam search; None is an option that is not given.

    The run of an encoder-decoder on pairs of texts reads the prompt as a source, and what it says is the whole answer.
    """
    cuts = _given({"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p})
    draws = _given({"penalty": repetition_penalty, "stop": stop, "seed": seed})
    search = _given({"length_penalty": length_penalty, "best": n_best})
    if beams is None and search:
        raise UserError("--length-penalty and --n-best need --beams")
    if beams is not None and (cuts or draws):
        names = "temperature, --top-k, --top-p, --min-p, --repetition-penalty, --stop and --seed"
        raise UserError(f"--beams does not sample; leave out --{names}")
    if not 0 <= draws.get("seed", 0) < experiments.SEEDS:
        raise UserError(f"--seed {seed} must be at least 0 and less than {experiments.SEEDS}")
    chosen = sampler(**{"temperature": 0.8} | cuts)

    experiment, params = checkpoint.load(folder)
    answers = isinstance(experiment.objective, TextToText)
    if not answers and (not isinstance(experiment.objective, CLM) or experiment.objective.prefixes):
        raise UserError(f"the run in '{folder}' is not of a causal language model; `generate` needs one")
    tokenizer = tokenizers.load(Path(folder) / "tokenizer")
    ids = tokenizer.encode(prompt)
    if answers:
        ids = [*ids, tokenizer.eos]
    elif tokenizer.bos >= 0 and experiment.data.layout not in ("stream", "strips"):  # as documents began in training
        ids = [tokenizer.bos, *ids]
    if not ids:
        raise UserError("the prompt is empty; give at least one character with --prompt")
    model = build(experiment.model)
    limits: dict[str, Any] = {"new": max_new, "end": tokenizer.eos, "size": tokenizer.size}
    limits |= {"sources": [ids], "start": target_start(tokenizer.pad)} if answers else {"prompts": [ids]}
    before_text = "" if answers else prompt
    if beams is None:
        if stop is not None:
            draws["stop"] = contains(tokenizer, stop)
        (new,) = continue_prompts(model, params, sampler=chosen, **limits, **draws)
        text = before(tokenizer.decode(new), stop or [])
        return {"prompt": prompt, "text": text, "tokens": len(new)}, before_text + text
    (found,) = beam_search(model, params, beams=beams, **limits, **search)
    every: list[dict[str, Any]] = [
        {"text": tokenizer.decode(new), "tokens": len(new), "score": score} for new, score in found
    ]
    if n_best is None:
        return {"prompt": prompt, **every[0]}, before_text + every[0]["text"]
    lines = (f"{each['score']:.4f}  {before_text}{each['text']}" for each in every)
    return {"prompt": prompt, **every[0], "n_best": every}, "\n".join(lines)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
