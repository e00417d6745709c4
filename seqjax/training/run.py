# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The run: what pretraining and fine-tuning share, told from top to bottom in `train`."""

import functools
import json
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import optax

from seqjax import rng, trees
from seqjax.evaluation.running import evaluator
from seqjax.experiment import Experiment
from seqjax.models.model import initialise, shapes
from seqjax.training import checkpoint, environment, optimizers, processes, record
from seqjax.training.checkpoint import Checkpoints
from seqjax.training.chips import peak_flops
from seqjax.training.logging import MetricsFile, NoMetrics, Progress, last_values, read_metrics
from seqjax.training.parallel import Devices
from seqjax.training.prepare import EVALUATED, Prepared, check_metric, prepare
from seqjax.training.profiling import Trace, check_trace
from seqjax.training.step import State, initial_state, train_step
from seqjax.training.stopping import Asked, EarlyStopping, interruptions
from seqjax.training.watch import Watch
from seqjax.types import Params


def train(
    experiment: Experiment, folder: Path, quiet: bool = False, until: int | None = None, profile: int = 0
) -> dict[str, Any]:
    """Runs an experiment in `folder`, or goes on with the run that is there, and returns a summary of it.

    `step` always means the number of updates already applied. SIGTERM and Ctrl-C save and return early.

    Args:
      experiment: as written; it is resolved here.
      folder: of the run; created if need be.
      quiet: show no progress.
      until: save and return after this update, as an interruption would.
      profile: record a trace of so many updates, see `seqjax.training.profiling`.

    Returns:
      {"status": "complete", "stopped early" or "interrupted", "step", "best_step", "best", the last value of each
      metric by name, ...}.

    Raises:
      UserError: bad settings or data, or a folder that holds another run.
      Diverged: a loss was NaN or infinite.
    """
    prepared, devices, optimizer = _described(experiment, folder, profile)
    experiment, dataset, model = prepared.experiment, prepared.dataset, prepared.model
    run, data = experiment.run, experiment.data
    iterator = dataset.train(run.seed, *devices.share)
    checkpoints = Checkpoints(folder, run)
    state, start, judged = _begin(prepared, optimizer, devices, checkpoints, iterator, folder)
    update = devices.spread(one_update(prepared, optimizer), donate=True)
    evaluate = evaluator(model, dataset, devices, run.seed, run.metric)
    dropout = rng.key(run.seed, "dropout")
    before = [line for line in read_metrics(folder) if line["step"] <= start]
    stopping = EarlyStopping(run.metric, run.direction, run.patience, before)
    first = processes.first()
    metrics = MetricsFile(folder, after=start or -1, tensorboard=run.tensorboard) if first else NoMetrics()
    progress = Progress(run.steps, start, experiment.name, quiet or not first)
    watch = _watch(prepared, devices, folder, metrics, progress)
    trace = Trace(folder, profile, start)

    def keep(step: int, asked: Asked) -> bool:
        """Evaluates where that is due, and saves; returns whether an interruption broke the evaluation off."""
        metric = None
        if run.evaluates(step):
            with watch.pause():
                scores = evaluate(state.used, EVALUATED, run.eval_rows, asked)
            if scores:
                watch.evaluated(step, scores)
                metric = scores[run.metric]
        if step:
            if metric is not None:
                stopping.see(step, metric)
            checkpoints.save(devices.whole(state), step, iterator, experiment, metric)
        return run.evaluates(step) and metric is None

    step, broken = start, False
    shape: tuple[int, int] | None = None
    with closing(iterator), closing(metrics), closing(checkpoints), closing(trace), progress, interruptions() as asked:
        if run.evaluates(step) and not judged:  # before the first update, or broken off by an interruption
            broken = keep(step, asked)
        while step < min(run.steps, run.steps if until is None else until) and not stopping.stop and not asked():
            if shape != data.shape(step):  # a stage begins, and a program of its own
                shape = data.shape(step)
                watch.begin()
            with trace.update(step):
                batch = next(iterator)
                state, pairs = update(state, devices.put(batch), dropout)
            step += 1
            watch.dispatched(step, pairs, batch)
            trace.done(step, pairs)
            if run.evaluates(step) or (run.save_every and step % run.save_every == 0):
                watch.settle()  # nothing is saved of an update whose loss is not a number
                broken = keep(step, asked)
        watch.settle()
        if step > start:
            # where an interruption came in between
            checkpoints.save(devices.whole(state), step, iterator, experiment, None)
    processes.meet("saved")
    traced = {"trace": str(trace.folder)} if profile else {}
    return _outcome(step, run.steps, broken, folder, stopping) | traced | last_values(before) | watch.last


def _described(
    experiment: Experiment, folder: Path, profile: int
) -> tuple[Prepared, Devices, optax.GradientTransformation]:
    """Returns what a run needs, with nothing wrong that can be found before it begins, and describes it in its folder.

    The description is written last: a mistake's correction must not meet another run there.
    """
    with processes.agreed():
        record.check_folder(folder)
        if experiment.run.deterministic:
            environment.make_repeatable()
        check_trace(profile, experiment.run.steps - max(checkpoint.steps(folder), default=0))
    devices = Devices(experiment.parallel)  # XLA starts in all processes, which wait for each other, but not for hours
    with processes.agreed():
        prepared = prepare(experiment, folder / "tokenizer" if record.exists(folder) else None)
        experiment = prepared.experiment
        devices.check(experiment.data.batches, experiment.run.accumulate, prepared.dataset.objective.group)
        devices.cover(shapes(prepared.model))
        optimizer = optimizers.build(experiment.optimizer, shapes(prepared.model), experiment.run.steps)
        check_metric(prepared)
        _ = devices.share  # which may be refused as well
    with processes.agreed():
        record.write(prepared, folder)
    processes.see(folder / record.FACTS)
    return prepared, devices, optimizer


def one_update(prepared: Prepared, optimizer: optax.GradientTransformation) -> Callable[..., Any]:
    """Returns `train_step` with everything settled but (state, batch, key) and how to sum over devices."""
    experiment = prepared.experiment
    return functools.partial(
        train_step, apply=prepared.model.apply, objective=prepared.dataset.objective, optimizer=optimizer,
        accumulate=experiment.run.accumulate, hold=optimizers.holding(experiment.optimizer), **kept(experiment),
    )  # fmt: skip


def kept(experiment: Experiment) -> dict[str, Any]:
    """Returns the settings of an update by which a state holds more than parameters and the optimiser's state."""
    return {"averaging": optimizers.averaging(experiment.optimizer), "spike": experiment.optimizer.spike}


def begin(prepared: Prepared, optimizer: optax.GradientTransformation, params: Params, rows: int) -> State:
    """Returns the state before the first update, of a run whose batches have so many rows."""
    data, carry = prepared.experiment.data, None
    if data.layout == "strips":
        carry = prepared.model.initial_carry(rows, data.length)
    return initial_state(params, optimizer, **kept(prepared.experiment), carry=carry)


def adopted(prepared: Prepared) -> tuple[Params, trees.MergeReport]:
    """Returns the parameters that a run with `init_from` begins with, and what became of the pretrained ones."""
    new = initialise(prepared.model, rng.key(prepared.experiment.run.seed, "params"))
    params, merged = trees.merge(new, prepared.pretrained, prepared.experiment.init_allow)
    if layers := prepared.experiment.reinit_layers:
        params = trees.restart(params, new, layers)
    return params, merged


def _outcome(step: int, steps: int, broken: bool, folder: Path, stopping: EarlyStopping) -> dict[str, Any]:
    ended = "complete" if step == steps else "stopped early" if stopping.stop else "interrupted"
    status = "interrupted" if broken else ended
    outcome = {"status": status, "step": step, "steps": steps, "folder": str(folder)}
    return outcome | {"best_step": stopping.best_step, "best": stopping.best_value}


def _watch(
    prepared: Prepared, devices: Devices, folder: Path, metrics: MetricsFile | NoMetrics, progress: Progress
) -> Watch:
    """Returns what writes and shows how the run goes."""
    experiment, objective = prepared.experiment, prepared.dataset.objective
    learning_rate = optimizers.learning_rate(experiment.optimizer, experiment.run.steps)
    peak = peak_flops(devices.devices[0]) * len(devices)
    if experiment.optimizer.freeze:
        peak = math.nan  # the count of an update's FLOPs is of training all parameters

    def work(batch: Mapping[str, Any]) -> tuple[int, float]:
        rows, length = objective.read(batch)
        rows *= devices.share[1]
        return rows * length, objective.flops(experiment.model, rows, length) / peak

    return Watch(folder, metrics, progress, learning_rate, experiment.run.log_every, work)


def _begin(
    prepared: Prepared,
    optimizer: optax.GradientTransformation,
    devices: Devices,
    checkpoints: Checkpoints,
    iterator: Any,
    folder: Path,
) -> tuple[State, int, bool]:
    """Returns the state to go on from: 1. of this run's newest checkpoint; 2. of `init_from`; 3. afresh.

    Its step and whether it has been evaluated come with it.
    """
    seed, rows = prepared.experiment.run.seed, prepared.experiment.data.batch

    def fresh() -> State:
        return begin(prepared, optimizer, initialise(prepared.model, rng.key(seed, "params")), rows)

    newest = checkpoints.newest()
    if newest is not None:
        state, meta = checkpoints.restore(newest, devices.shaped(jax.eval_shape(fresh)))
        iterator.set_state(meta["iterator"])
        return state, newest, meta["metric"] is not None
    if prepared.pretrained is None:
        return devices.create(fresh), 0, False
    params, merged = adopted(prepared)
    if layers := prepared.experiment.reinit_layers:
        _say(f"the top {layers} layers begin afresh")
    _say(f"from {prepared.experiment.init_from}: {merged}")
    if processes.first():
        (folder / "merge.json").write_text(json.dumps(vars(merged), indent=1) + "\n")
    return devices.create(lambda params: begin(prepared, optimizer, params, rows), params), 0, False


def _say(text: str) -> None:
    if processes.first():
        print(text, file=sys.stderr)
