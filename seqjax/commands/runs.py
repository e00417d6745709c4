# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that make or use a run: train, eval, generate."""

import contextlib
import dataclasses
import json
import shlex
import statistics
import sys
from pathlib import Path
from typing import Any

import jax

from seqjax import experiment as experiments
from seqjax.config import differences, from_json
from seqjax.data import tokenizers
from seqjax.decoding.beam import beam_search
from seqjax.decoding.generate import generate as continue_prompts
from seqjax.decoding.samplers import sampler
from seqjax.decoding.stopping import before, contains
from seqjax.errors import Diverged, UserError
from seqjax.evaluation.evaluate import scorer
from seqjax.evaluation.tasks.table import task_of
from seqjax.experiment import Experiment
from seqjax.models.model import build
from seqjax.objectives.answering import Answering
from seqjax.objectives.clm import CLM
from seqjax.training import checkpoint, record, run
from seqjax.training.finish import finish
from seqjax.training.logging import read_metrics
from seqjax.training.parallel import Devices
from seqjax.training.prepare import reopen
from seqjax.training.processes import connect, first, together
from seqjax.training.profiling import how_to_view
from seqjax.training.stopping import EarlyStopping

Result = tuple[dict[str, Any], str]
TABLE = "seeds.json"  # in the folder of several seeds
SEED = "seed-"  # what the folder of one of several seeds is called, before the number
ENDED = ("complete", "stopped early")  # the status of a run that has nothing left to do
# In what the runs of several seeds may differ; of an imported run the tokenizer is in its folder.
OWN = ("name", "init_from", "parallel", "run.seed", "data.tokenizer", "data.source_tokenizer")


def train(
    name: str,
    overrides: list[str],
    tiny: bool,
    into: str | None,
    quiet: bool,
    seeds: int = 1,
    profile: int | None = None,
    distributed: bool = False,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> Result:
    """Trains; the folder is runs/NAME (runs/NAME-tiny for the tiny version) unless given.

    With several seeds, run.seed and those after it, each has a run in a folder of its own inside: seed-0, seed-1, ...
    The mean and standard deviation of their scores, those of their tasks too, stand in seeds.json beside them. A seed
    that diverges does not keep the others from training.

    `distributed` is for one of several processes; see `seqjax.training.processes.connect`.

    Raises:
      UserError: bad options, settings or data, or a folder that holds another run.
      Diverged: a loss was NaN or infinite; of several seeds, once all have had their turn.
    """
    if distributed and seeds != 1:
        raise UserError("--distributed trains one seed; give run.seed=N and a folder for each")
    if not distributed and (coordinator, processes, process) != (None, None, None):
        raise UserError("--coordinator, --processes and --process need --distributed")
    folder = Path(into) if into else Path("runs") / (f"{name}-tiny" if tiny else name)
    experiment = experiments.resolve(name, overrides, tiny)
    if distributed:
        connect(coordinator, processes, process)
    for option, number in (("seeds", seeds), ("profile", 1 if profile is None else profile)):
        if number < 1:
            raise UserError(f"--{option} {number} must be at least 1")
    if seeds == 1:
        return _one(experiment, folder, quiet, profile or 0)
    return _several(experiment, folder, quiet, seeds, profile or 0)


def _several(experiment: Experiment, folder: Path, quiet: bool, seeds: int, profile: int) -> Result:
    record.check_folder(folder)
    if record.exists(folder):
        raise UserError(f"'{folder}' holds a run already; --seeds needs a folder of its own")
    found: list[dict[str, Any]] = []
    diverged: dict[int, str] = {}
    for seed in range(experiment.run.seed, experiment.run.seed + seeds):
        seeded = dataclasses.replace(experiment, run=dataclasses.replace(experiment.run, seed=seed))
        try:
            result, text = _one(seeded, folder / f"{SEED}{seed}", quiet, profile)
        except Diverged as error:
            diverged[seed] = str(error)
            print(f"seed {seed} diverged: {error}", file=sys.stderr)
            continue
        if result["status"] == "interrupted":
            return result, text
        last = {name: value for name, value in result.items() if name == "best" or name.startswith("eval/")}
        if task := task_of(experiment.objective):
            last |= {f"report/{name}": value for name, value in task.headlines(result["report"]).items()}
        found.append(last)
    if not found:
        raise Diverged(f"all {seeds} seeds diverged; seed {experiment.run.seed}: {diverged[experiment.run.seed]}")
    title = f"{experiment.run.metric} of the best, the last scores (eval/), the best checkpoint's report"
    spread, text = _spread(found, f"{title}, on validation; see {folder / TABLE}")
    if diverged:
        spread["diverged"] = diverged
    (folder / TABLE).write_text(json.dumps(spread, indent=1) + "\n")
    if diverged:
        print(text, file=sys.stderr)
        which = ", ".join(map(str, diverged))
        raise Diverged(f"of {seeds} seeds {which} diverged; the scores of the others are in {folder / TABLE}")
    return spread, text


def _one(experiment: Experiment, folder: Path, quiet: bool, profile: int) -> Result:
    with together():
        result = finish(run.train(experiment, folder, quiet, profile=profile))
    best = f"; best {result['best']:.4f} at step {result['best_step']}" if result["best_step"] else ""
    text = f"{result['status']} at step {result['step']} of {result['steps']}{best}; see {folder / 'report.html'}"
    if result["status"] == "interrupted":
        text += f"\nsaved; the same command goes on from step {result['step']}"
    if profile:
        text += f"\n{how_to_view(result['trace'])}"
    return result, text if first() else ""


def _spread(found: list[dict[str, Any]], title: str) -> Result:
    """Returns mean and standard deviation (of a sample; None of a single one) of each number of seeds' results."""
    names = [name for name in found[0] if all(isinstance(each.get(name), float) for each in found)]
    every = {name: [each[name] for each in found] for name in names}
    result = {
        name: {
            "mean": statistics.fmean(values),
            "sd": statistics.stdev(values) if found[1:] else None,
            "values": values,
        }
        for name, values in every.items()
    }
    width = max(map(len, names))
    lines = []
    for name, each in result.items():
        values = ", ".join(f"{value:.4f}" for value in every[name])
        spread = f" +- {each['sd']:.4f}" if found[1:] else ""
        lines.append(f"{name:{width}}  {each['mean']:.4f}{spread}  ({values})")
    count = f"{len(found)} seed{'s' if found[1:] else ''}"
    return {"seeds": len(found), "scores": result}, "\n".join([f"{count}: {title}", *lines])


def evaluate(folder: str, split: str, step: str) -> Result:
    """Scores a checkpoint on a split; classes and tags one by one too, and the texts that a model says.

    Of a folder of several seeds, all of them: mean and standard deviation.

    Raises:
      UserError: no such run, checkpoint or split, or seeds that are not finished or of different settings.
    """
    seeded = [path for path in Path(folder).glob(f"{SEED}*") if path.is_dir()]
    seeded.sort(key=lambda path: (len(path.name), path.name))
    if seeded and not record.exists(Path(folder)):
        _check_seeds(seeded)
        results = [_scores(str(each), split, step)[0] for each in seeded]
        return _spread([_flat(each["scores"] | each.get("report", {})) for each in results], f"split {split}")
    return _scores(folder, split, step)


def _check_seeds(folders: list[Path]) -> None:
    """Raises UserError where a mean over these runs would be over what is not finished, or not alike."""
    for folder in folders:
        status = _status(folder)
        if status == "diverged":
            raise UserError(f"the run in '{folder}' diverged; move it elsewhere to score the other seeds")
        if status not in ENDED:
            words = record.read(folder).facts["command"] if record.exists(folder) else []
            command = f": {shlex.join(['python', *words])}" if words else ""
            raise UserError(f"the run in '{folder}' is not finished; the same train command finishes it{command}")
    configs = [checkpoint.read_meta(folder, checkpoint.steps(folder)[-1])["config"] for folder in folders]
    for folder, config in zip(folders, configs, strict=True):
        for key, (a, b) in differences(configs[0], config).items():
            if key not in OWN and key.split(".")[0] not in OWN:
                raise UserError(
                    f"the runs in '{folders[0]}' and '{folder}' have different settings: {key} ({a} and {b}); "
                    "move elsewhere what is not to be scored"
                )


def _status(folder: Path) -> str:
    """Returns how a run ended: as result.json says or, without one, as what it saved shows."""
    failed = "diverged" if any(folder.glob("diverged-step-*")) else "interrupted"
    if not (saved := checkpoint.steps(folder)):
        return failed
    with contextlib.suppress(OSError, ValueError, KeyError):  # not there, or cut off while it was written
        status = json.loads((folder / "result.json").read_text())["status"]
        return status if status in ENDED else failed
    newest, meta = saved[-1], checkpoint.read_meta(folder, saved[-1])
    run = from_json(Experiment, meta["config"], f"{folder}: config").run
    if newest == 0 or (newest == run.steps and meta["metric"] is not None):  # 0: imported, so trained elsewhere
        return "complete"
    lines = [line for line in read_metrics(folder) if line["step"] <= newest]
    return "stopped early" if EarlyStopping(run.metric, run.direction, run.patience, lines).stop else failed


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Returns the scores among nested values, by their names joined."""
    out: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{prefix}{name} ")
        elif isinstance(value, float):
            out[prefix + name] = value
    return out


def _scores(folder: str, split: str, step: str) -> Result:
    experiment, params = checkpoint.load(folder, int(step) if step.isdecimal() else step)
    prepared = reopen(experiment, Path(folder))
    dataset, model, devices = prepared.dataset, prepared.model, Devices(experiment.parallel.here(jax.device_count()))
    result: dict[str, Any] = {
        "split": split,
        "scores": scorer(model, dataset, devices, experiment.run.seed)(params, split),
    }
    text = "\n".join(f"{name:14} {value:.6f}" for name, value in result["scores"].items())
    if task := task_of(dataset.objective):
        result["report"] = task.reporter(model, dataset, devices)(params, split)
        text += "\n\n" + task.formatted(result["report"])
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

    A run on pairs of texts reads the prompt as a source, and what it says is the whole answer. Words that training put
    around a text are not put around a prompt; a line on stderr says so.
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
    objective = experiment.objective
    answers = isinstance(objective, Answering)
    if not answers and (not isinstance(objective, CLM) or objective.prefixes):
        raise UserError(f"the run in '{folder}' is not of a causal language model; `generate` needs one")
    tokenizer = tokenizers.load(Path(folder) / "tokenizer")
    ids = tokenizer.source.encode(prompt)
    if isinstance(objective, Answering):
        ids = objective.asked(ids, tokenizer.source)
        if template := experiment.data.source.task.template:
            print(
                f"the prompt is read as it is; training and `predict` put '{template}' around a text", file=sys.stderr
            )
    elif tokenizer.bos >= 0 and experiment.data.layout not in ("stream", "strips"):  # as documents began in training
        ids = [tokenizer.bos, *ids]
    if not ids:
        raise UserError("the prompt is empty; give at least one character with --prompt")
    model = build(experiment.model)
    limits: dict[str, Any] = {"new": max_new, "end": tokenizer.eos, "size": tokenizer.size}
    limits |= objective.asking([ids], tokenizer) if isinstance(objective, Answering) else {"prompts": [ids]}
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
