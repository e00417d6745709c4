# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run's checkpoints (Orbax): parameters, optimiser state, data position and the resolved configuration.

FOLDER/checkpoints/STEP/params      what evaluation, decoding and fine-tuning read
FOLDER/checkpoints/STEP/opt_state   what only a resumed run reads
FOLDER/checkpoints/STEP/meta        JSON: step, iterator state, evaluation metric, configuration
"""

import contextlib
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as policies

from seqjax.config import from_json, to_json
from seqjax.errors import UserError
from seqjax.experiment import Experiment, Run
from seqjax.training import processes
from seqjax.training.step import State
from seqjax.types import Params

ASIDE = ".aside"  # the suffix of a checkpoint while another is saved in its place


class Checkpoints:
    """Writes asynchronously; a save that is cut off half-way is never seen again. Keeps the newest and the best."""

    def __init__(self, folder: Path, run: Run):
        """Opens FOLDER/checkpoints, which need not exist."""
        _restore_what_stood_aside(folder / "checkpoints")
        sign = 1.0 if run.direction == "max" else -1.0

        def score(metrics: Any) -> Any:
            return sign * metrics["metric"], -metrics["step"]  # the first of equals, as `EarlyStopping` has it

        best = policies.BestN(get_metric_fn=score, n=1, keep_checkpoints_without_metrics=False)
        self._manager = ocp.CheckpointManager(
            (folder / "checkpoints").absolute(),
            item_names=("params", "opt_state", "meta"),
            options=ocp.CheckpointManagerOptions(
                best_fn=score,  # without it metrics are not written, and a resumed run deletes its best checkpoint
                preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(run.keep), best]),
                cleanup_tmp_directories=True,
            ),
        )

    def save(self, state: State, step: int, iterator: Any, experiment: Experiment, metric: float | None) -> None:
        """Starts saving; the state may be donated and the iterator advanced as soon as this returns.

        What is there of this step already is left as it is, unless it has no metric and now there is one.

        Args:
          state: after `step` updates.
          step: the number of updates.
          iterator: the training data, standing after what update `step` read.
          experiment: resolved.
          metric: of the evaluation at this step, None where there was none.
        """
        if step in self._manager.all_steps():
            if metric is None or self._manager.metrics(step) is not None:
                return
            self._save_instead(state, step, iterator, experiment, metric)
        else:
            self._save(state, step, iterator, experiment, metric)

    def _save_instead(self, state: State, step: int, *rest: Any) -> None:
        """Saves what takes the place of a checkpoint, which stands aside until the new one is complete."""
        place = self._manager.directory / str(step)
        aside = place.with_suffix(ASIDE)
        processes.meet("before a checkpoint stands aside")
        if processes.first():
            place.rename(aside)
        processes.meet("a checkpoint stands aside")
        self._manager.reload()
        self._save(state, step, *rest)
        self._manager.wait_until_finished()
        if processes.first():
            shutil.rmtree(aside)

    def _save(self, state: State, step: int, iterator: Any, experiment: Experiment, metric: float | None) -> None:
        meta = {"step": step, "iterator": iterator.get_state(), "metric": metric, "config": to_json(experiment)}
        self._manager.save(
            step,
            args=ocp.args.Composite(
                params=ocp.args.StandardSave(state.used),
                opt_state=ocp.args.StandardSave(_rest(state)),
                meta=ocp.args.JsonSave(meta),
            ),
            metrics=None if metric is None or not math.isfinite(metric) else {"metric": metric, "step": step},
        )

    def newest(self) -> int | None:
        """Returns the newest complete step, None where there is none."""
        return self._manager.latest_step()

    def restore(self, step: int, like: State) -> tuple[State, dict[str, Any]]:
        """Returns the state of `step`, and the meta data.

        Args:
          step: one of those that are there.
          like: its shapes, each with the sharding that it is to have, whatever it was saved from.
        """
        with _damage(self._manager.directory / str(step)):
            items = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    params=ocp.args.StandardRestore(like.used),
                    opt_state=ocp.args.StandardRestore(_rest(like)),
                    meta=ocp.args.JsonRestore(),
                ),
            )
        count = jax.device_put(np.int32(step), like.step.sharding)
        return _whole(count, items["params"], items["opt_state"], like), items["meta"]

    def close(self) -> None:
        """Waits, and lets go of the folder."""
        self._manager.close()


def _restore_what_stood_aside(checkpoints: Path) -> None:
    """Puts back what a save was to replace that was cut off."""
    if processes.first():
        for aside in checkpoints.glob(f"*{ASIDE}"):
            if aside.with_suffix("").exists():
                shutil.rmtree(aside)
            else:
                aside.rename(aside.with_suffix(""))
    processes.meet("checkpoints are as they were")


def _rest(state: State) -> Any:
    """Returns what a checkpoint holds of a state beside the parameters that one uses."""
    trained = None if state.average is None else state.params
    kept = {"trained": trained, "guard": state.guard, "carry": state.carry}
    kept = {name: value for name, value in kept.items() if value is not None}
    return {"opt_state": state.opt_state, **kept} if kept else state.opt_state


def _whole(step: jax.Array, used: Params, rest: Any, like: State) -> State:
    """Returns the state of which `_rest` and the used parameters were saved."""
    if _rest(like) is like.opt_state:
        return State(step, used, rest)
    average = None if like.average is None else used
    return State(step, rest.get("trained", used), rest["opt_state"], average, rest.get("guard"), rest.get("carry"))


def steps(folder: Path) -> list[int]:
    """Returns the complete checkpoints of a run, oldest first."""
    checkpoints = folder / "checkpoints"
    names = [path.name for path in checkpoints.iterdir()] if checkpoints.is_dir() else []
    return sorted(int(name) for name in names if name.isdigit())


def load(path: str | Path, step: int | str = "best") -> tuple[Experiment, Params]:
    """Returns (configuration, parameters) of a run: the one way in for evaluation, decoding, fine-tuning and notebooks.

    Args:
      path: the run's folder.
      step: "best" (by the evaluation metric; the newest if nothing was evaluated), "newest", a number of updates, or
        "average:N", the mean of the parameters of the newest N checkpoints (Vaswani et al. 2017, section 6.1).

    Returns:
      The resolved experiment and a nested dict of numpy arrays.

    Raises:
      UserError: no such run, or no such checkpoint in it.
    """
    folder = Path(path).expanduser()
    available = steps(folder)
    if not available:
        raise UserError(f"'{path}' holds no checkpoint; give the folder of a run (what `launch.py train --run` wrote)")
    metas = {number: read_meta(folder, number) for number in available}
    if step == "newest":
        chosen = available[-1:]
    elif step == "best":
        chosen = [best(metas)]
    elif step in available:
        chosen = [int(step)]
    elif average := re.fullmatch(r"average:([1-9][0-9]*)", str(step)):
        count = int(average[1])
        if count > min(len(available), metas[available[-1]]["config"]["run"]["keep"]):
            raise UserError(f"'{path}' has not kept its newest {count} checkpoints; train with run.keep={count}")
        chosen = available[-count:]
    else:
        raise UserError(f"'{path}' has no checkpoint of step {step}; it has {', '.join(map(str, available))}")
    experiment = from_json(Experiment, metas[chosen[-1]]["config"], f"{path}: config")
    params = _read_params(folder, chosen[0])
    for count, number in enumerate(chosen[1:], start=2):
        params = jax.tree.map(lambda mean, x, n=count: mean + (x - mean) / n, params, _read_params(folder, number))
    return experiment, params


def _read_params(folder: Path, step: int) -> Params:
    item = (folder / "checkpoints" / str(step) / "params").absolute()
    handler = ocp.PyTreeCheckpointHandler()
    with _damage(item.parent):
        arguments = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), handler.metadata(item).tree)
        return handler.restore(item, args=ocp.args.PyTreeRestore(restore_args=arguments))


def best(metas: dict[int, dict[str, Any]]) -> int:
    """Returns the step with the best evaluation metric, the newest if there is none."""
    metrics = {step: meta["metric"] for step, meta in metas.items()}
    scored = {step: metric for step, metric in metrics.items() if metric is not None and math.isfinite(metric)}
    if not scored:
        return max(metas)
    sign = 1.0 if next(iter(metas.values()))["config"]["run"]["direction"] == "max" else -1.0
    return max(scored, key=lambda step: sign * scored[step])


def read_meta(folder: Path, step: int) -> dict[str, Any]:
    """Returns the meta data of one checkpoint."""
    place = (folder / "checkpoints" / str(step)).absolute()
    with _damage(place), ocp.Checkpointer(ocp.JsonCheckpointHandler()) as reader:
        return reader.restore(place / "meta")


@contextlib.contextmanager
def _damage(place: Path) -> Iterator[None]:
    """Says in one line what Orbax finds wrong with the files of a checkpoint."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:  # files missing, files that hold something else, items missing
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"the checkpoint in '{place}' is damaged ({reason}); remove that folder") from None
