# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command that searches settings: sweep. Optuna chooses, each trial is a run, a table and a figure tell."""

import dataclasses
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from seqjax import experiment as experiments
from seqjax.errors import Diverged, UserError
from seqjax.experiment import Experiment, Run
from seqjax.training import checkpoint, record, run
from seqjax.training.finish import finish
from seqjax.visualise.sweep import plot_sweep

Result = tuple[dict[str, Any], str]
Settings = Callable[[dict[str, Any]], list[str]]  # from the values of what is searched to all overrides of a trial
JOURNAL, COMMAND, TABLE, PAGE, FIGURE = "sweep.journal", "sweep.json", "trials.json", "trials.md", "trials.png"
KINDS = ("log", "range", "list")
TRIALS = 20  # where a range is searched and nobody says how many
DIVERGED, FAILED = "diverged", "failed"  # the status of a trial without a score


@dataclasses.dataclass(frozen=True)
class Searched:
    """A setting that is searched: among `values` if there are any, else from `low` to `high`."""

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False  # evenly in the logarithm
    whole: bool = False  # whole numbers

    def suggest(self, trial: Any) -> Any:
        """Returns the value of this setting in an optuna trial."""
        if self.values:
            return trial.suggest_categorical(self.key, self.values)
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    @property
    def ends(self) -> tuple[str, ...]:
        """All values of a list, and the lowest and the highest of a range."""
        return self.values or tuple(str(int(each) if self.whole else each) for each in (self.low, self.high))


def sweep(
    name: str, overrides: list[str], tiny: bool, into: str | None, quiet: bool, trials: int | None, seed: int
) -> Result:
    """Runs an experiment with settings that are searched for the best run.metric; goes on where DIR holds this sweep.

    Of the overrides, `key=log:LOW:HIGH` and `key=range:LOW:HIGH` are ranges, `key=A,B` of a number and `key=list:A,B`
    of anything are lists, and the others are fixed; all apply in the order in which they are written. Where all are
    lists each combination is tried, once; else the tree-structured Parzen estimator chooses (Bergstra et al. 2011), 20
    times unless `trials` says otherwise, from --seed and the trials before, so that a sweep that was interrupted ends
    as one that was not. A trial that diverges, or fails on its settings, data or memory, has no score.

    DIR holds a folder for each trial, trials.json and trials.md (best first), trials.png, and optuna's sweep.journal.

    Raises:
      UserError: something is wrong before the first trial, or all failed; the same command then tries them again.
      Diverged: all trials did.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, settings, base, folder = _begin(name, overrides, tiny, into, trials, seed)
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    study = optuna.create_study(
        storage=storage, study_name=name, load_if_exists=True,
        direction="maximize" if base.direction == "max" else "minimize",
    )  # fmt: skip
    grid = _grid(space)
    wanted = _wanted(trials, grid)
    rows = [trial.user_attrs["row"] for trial in study.trials if "row" in trial.user_attrs]
    while len(rows) < wanted:
        number = len(rows)
        study.sampler = optuna.samplers.TPESampler(seed=seed + number)
        begun = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.RUNNING]
        for trial in begun:  # interrupted; it goes on under another number
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if begun and begun[0].params:
            study.enqueue_trial(begun[0].params)
        elif grid:
            study.enqueue_trial(dict(zip((each.key for each in space), grid[number], strict=True)))
        asked = study.ask()
        values = {each.key: each.suggest(asked) for each in space}
        outcome = _trial(name, settings(values), tiny, folder / f"trial-{number}", quiet)
        if outcome["status"] == "interrupted":
            return {"trials": rows} | outcome, f"saved; the same command goes on with trial {number}"
        row = {"trial": number, "score": outcome["best"], "status": outcome["status"], "settings": values}
        if outcome["status"] == FAILED:
            row["reason"] = outcome["reason"]
        asked.set_user_attr("row", row)
        unscored = row["score"] is None
        study.tell(asked, row["score"], state=optuna.trial.TrialState.FAIL if unscored else None)
        rows.append(row)
        print(f"{_line(row, base.metric)} ({len(rows)} of {wanted})", file=sys.stderr)
    told = _told(rows, space, base, folder)
    if all(row["score"] is None for row in rows):
        if any(row["status"] == FAILED for row in rows):  # the same command tries again: the data may be put right
            optuna.delete_study(study_name=name, storage=storage)
        raise _hopeless(rows, base.metric)
    return told


def apart(
    name: str, overrides: list[str], tiny: bool, into: str | None, trials: int | None, seed: int
) -> list[tuple[list[str], Path]]:
    """Returns overrides and folder of each trial of a grid, to be trained anywhere; [] where one needs those before it.

    DIR becomes the folder of this sweep. Once the trials are there, `sweep` finds them and tells.
    """
    space, settings, _, folder = _begin(name, overrides, tiny, into, trials, seed)
    keys, grid = [each.key for each in space], _grid(space)
    return [
        (settings(dict(zip(keys, values, strict=True))), folder / f"trial-{number}")
        for number, values in enumerate(grid[: _wanted(trials, grid)])
    ]


def _begin(
    name: str, overrides: list[str], tiny: bool, into: str | None, trials: int | None, seed: int
) -> tuple[list[Searched], Settings, Run, Path]:
    """Returns what is searched, how to set it, how a run is judged, and the folder of the sweep, which it makes."""
    if trials is not None and trials < 1:
        raise UserError(f"--trials {trials} must be at least 1")
    space, fixed = parse(experiments.resolve(name, [], tiny), overrides)
    order = [word.partition("=")[0] for word in overrides]

    def settings(values: dict[str, Any]) -> list[str]:
        written = zip(overrides, order, strict=True)  # a group that is set anew forgets what was set in it before
        return [word if word in fixed else f"{key}={values[key]}" for word, key in written]

    def resolved(values: dict[str, str]) -> Experiment:
        return experiments.resolve(name, settings(values), tiny)

    first = {each.key: each.ends[0] for each in space}
    for each in space:
        for value in each.ends:
            resolved(first | {each.key: value})  # raises where it is none
    folder = Path(into) if into else Path("runs") / f"{name}-sweep"
    said = {"name": name, "tiny": tiny, "seed": seed, "fixed": fixed, "searched": [vars(each) for each in space]}
    said["order"] = order
    _claim(folder, json.loads(json.dumps(said)))
    return space, settings, resolved(first).run, folder


def _grid(space: list[Searched]) -> list[tuple[str, ...]]:
    """Returns every combination of values, none where one is a range."""
    return list(itertools.product(*(each.values for each in space)))


def _wanted(trials: int | None, grid: list[tuple[str, ...]]) -> int:
    """Returns how many trials there are to be, all of a grid unless somebody says fewer; then stderr says so too."""
    if trials is None:
        return len(grid) or TRIALS
    if trials < len(grid):
        left = f"--trials {trials} leaves out {len(grid) - trials} of the {len(grid)} combinations"
        print(f"{left}; without --trials all are tried", file=sys.stderr)
    return min(trials, len(grid) or trials)


def parse(experiment: Experiment, overrides: list[str]) -> tuple[list[Searched], list[str]]:
    """Returns what is searched, and the overrides that are fixed.

    Raises:
      UserError: a range that is none, a setting that is searched twice, or nothing to search.
    """
    space: list[Searched] = []
    fixed: list[str] = []
    for word in overrides:
        key, _, text = word.partition("=")
        value: Any = experiment
        for part in key.split("."):
            value = getattr(value, part, None)
        kind, colon, rest = text.partition(":")
        if not (colon and kind in KINDS):
            if "," not in text or not isinstance(value, int | float):
                fixed.append(word)
                continue
            kind, rest = "list", text
        if kind == "list":
            space.append(Searched(key, tuple(part.strip() for part in rest.split(","))))
        else:
            space.append(_range(key, kind, rest, isinstance(value, int)))
    keys = [each.key for each in space]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UserError(f"{twice} is searched twice")
    if not space:
        raise UserError("nothing to search; write key=log:LOW:HIGH, key=range:LOW:HIGH or key=A,B for a setting")
    return space, fixed


def _range(key: str, kind: str, text: str, whole: bool) -> Searched:
    wanted = f"{key}={kind}:{text}: expected {kind}:LOW:HIGH, two {'whole ' if whole else ''}numbers, the lower first"
    try:
        low, high = (int(part) if whole else float(part) for part in text.split(":"))
    except ValueError:
        raise UserError(wanted) from None
    if not low < high < float("inf"):
        raise UserError(wanted)
    if kind == "log" and low <= 0:
        raise UserError(f"{key}={kind}:{text}: a logarithmic range begins above 0")
    return Searched(key, (), low, high, kind == "log", whole)


def _claim(folder: Path, said: dict[str, Any]) -> None:
    """Makes the folder of a sweep, or raises UserError where it holds something else.

    A sweep that found a mistake before its first trial began is no obstacle to the one that mends it.
    """
    record.check_folder(folder)
    path, journal = folder / COMMAND, folder / JOURNAL
    if path.exists() and (other := json.loads(path.read_text())) != said:
        if not journal.exists() or any(map(record.exists, folder.glob("trial-*"))):
            changed = ", ".join(key for key in said if said[key] != other.get(key))
            raise UserError(
                f"'{folder}' holds a sweep with other settings ({changed}); choose another folder with --run"
            )
        journal.unlink()
    if not path.exists() and folder.exists() and any(folder.iterdir()):
        raise UserError(f"'{folder}' holds something else; choose another folder with --run")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=1) + "\n")


def _trial(name: str, settings: list[str], tiny: bool, folder: Path, quiet: bool) -> dict[str, Any]:
    """Returns how a trial ended; where it failed also why, and its folder then holds no run that was not trained."""
    described = record.exists(folder)
    try:
        return finish(run.train(experiments.resolve(name, settings, tiny), folder, quiet))
    except Diverged:
        return {"status": DIVERGED, "best": None}
    except (UserError, MemoryError, jax.errors.JaxRuntimeError) as error:
        reason = str(error)
        if not isinstance(error, UserError):
            if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in reason:
                raise
            reason = f"out of memory ({(reason.splitlines() or [type(error).__name__])[0][:200]})"
    if not described and not checkpoint.steps(folder):
        (folder / record.FACTS).unlink(missing_ok=True)
    return {"status": FAILED, "best": None, "reason": reason}


def _hopeless(rows: list[dict[str, Any]], metric: str) -> UserError | Diverged:
    """Returns what to say of trials of which none has a score."""
    if failed := next((row for row in rows if row["status"] == FAILED), None):
        return UserError(f"no trial has a score; trial {failed['trial']} failed: {failed['reason']}")
    if all(row["status"] == DIVERGED for row in rows):
        return Diverged(
            "all trials diverged; try a lower optimizer.peak_lr, a longer optimizer.warmup or optimizer.clip"
        )
    return UserError(f"no trial has a score; run.metric={metric} was never a number, so choose another")


def _told(rows: list[dict[str, Any]], space: list[Searched], base: Run, folder: Path) -> Result:
    """Writes the table and the figure, and returns them as a result."""
    sign = -1.0 if base.direction == "max" else 1.0
    ranked = sorted(rows, key=lambda row: (row["score"] is None, sign * (row["score"] or 0.0)))
    keys = [each.key for each in space]
    lines = [f"| trial | {base.metric} | {' | '.join(keys)} |", "|---|---|" + "---|" * len(keys)]
    for row in ranked:
        cells = [row["trial"], _score(row).replace("|", r"\|"), *(_short(row["settings"][key]) for key in keys)]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    result = {"metric": base.metric, "direction": base.direction, "folder": str(folder), "trials": ranked}
    (folder / TABLE).write_text(json.dumps(result, indent=1) + "\n")
    (folder / PAGE).write_text("\n".join(lines) + "\n")
    scales = {each.key: "list" if each.values else "log" if each.log else "linear" for each in space}
    plot_sweep(ranked, scales, base.metric, folder / FIGURE)
    return result, "\n".join([*lines, "", f"best: {_line(ranked[0], base.metric)}; see {folder / FIGURE}"])


def _line(row: dict[str, Any], metric: str) -> str:
    settings = " ".join(f"{key}={_short(value)}" for key, value in row["settings"].items())
    return f"trial {row['trial']}: {settings}: {metric} {_score(row)}"


def _score(row: dict[str, Any]) -> str:
    if row["score"] is None:
        return f"{row['status']}: {row['reason']}" if "reason" in row else row["status"]
    return f"{row['score']:.4f}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
