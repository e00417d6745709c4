# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command submit: another command as a job of Slurm, through submitit, which queues it anew where time runs out."""

import functools
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.arguments import parse
from seqjax.commands.sweep import apart
from seqjax.errors import UserError

Result = tuple[dict[str, Any], str]
LAUNCH = Path(__file__).parents[2] / "launch.py"
RESTARTS = 1000  # of a job that ran out of time; submitit's own limit is 3


class Command:
    """A command line as submitit runs it: in a process of its own, started again on what it has saved."""

    def __init__(self, words: list[str]):
        """Takes the program and its arguments."""
        self.words = words
        self._process: int | None = None

    def __call__(self) -> int:
        """Runs it to its end; its output goes to the job's logs.

        Raises:
          RuntimeError: its status is not 0, so that the job counts as failed.
        """
        # Slurm may send the signal that time is short to all processes of a task; this one is told by `checkpoint`.
        deaf = functools.partial(signal.signal, signal.SIGUSR2, signal.SIG_IGN)
        with subprocess.Popen(self.words, preexec_fn=deaf) as child:
            self._process = child.pid
        if child.returncode:
            raise RuntimeError(f"status {child.returncode} of: {shlex.join(self.words)}")
        return child.returncode

    def checkpoint(self) -> Any:
        """Has it save and end before the job's time is up; returns what is to be submitted anew: the same."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            try:
                os.kill(self._process, signal.SIGTERM)
                os.waitid(os.P_PID, self._process, os.WEXITED | os.WNOWAIT)  # not `wait`, in which this was called
            except (ProcessLookupError, ChildProcessError):
                pass  # it has ended
        return DelayedSubmission(Command(self.words))


def submit(
    words: list[str], cluster: str, nodes: int, tasks: int, gpus: int, cpus: int, hours: float,
    logs: str, slurm: list[str] | None,
) -> Result:  # fmt: skip
    """Submits a command of launch.py as a job; a sweep over lists alone as an array, with a job for each trial.

    What is wrong with the command is said now and not by the job.
    """
    try:
        from submitit import AutoExecutor
    except ImportError:
        raise UserError("submitting needs submitit: pip install 'submitit>=1.5.4,<1.6'") from None
    commands = _commands(words)
    if hours <= 0:
        raise UserError(f"--hours {hours} must be above 0")
    if nodes * tasks > 1 and "--distributed" not in words:
        raise UserError(
            f"--nodes {nodes} --tasks {tasks} are {nodes * tasks} processes, and each would do the whole; "
            "give the command --distributed"
        )
    asked: dict[str, Any] = {"nodes": nodes, "tasks_per_node": tasks, "gpus_per_node": gpus, "cpus_per_task": cpus}
    asked |= {"timeout_min": round(60 * hours), "name": f"seqjax-{words[0]}"}
    for word in slurm or []:
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"--slurm {word} is not an option; write key=value, for example --slurm partition=gpu")
        asked[f"slurm_{key}"] = value
    try:
        executor = AutoExecutor(folder=f"{logs}/%j", cluster=cluster, **{f"{cluster}_max_num_timeout": RESTARTS})
        executor.update_parameters(**asked)
        with executor.batch():
            jobs = [executor.submit(Command([sys.executable, str(LAUNCH), *each])) for each in commands]
    except (RuntimeError, NameError, ValueError) as error:  # no Slurm here; an option that there is not
        raise UserError(f"cannot submit to {cluster}: {str(error).splitlines()[0]}") from None
    lines = [f"job {job.job_id}: {shlex.join(each)}" for job, each in zip(jobs, commands, strict=True)]
    lines.append(f"logs: {logs}/JOB")
    if len(jobs) > 1:
        lines.append(f"when all have ended this tells: python launch.py {shlex.join(words)}")
    return {"jobs": [{"id": job.job_id, "command": each} for job, each in zip(jobs, commands, strict=True)],
            "logs": logs}, "\n".join(lines)  # fmt: skip


def _commands(words: list[str]) -> list[list[str]]:
    """Returns the command lines of the jobs, each of which could be given to launch.py."""
    options = parse(None, words)
    command = options["command"]
    if command in (None, "submit"):
        raise UserError("give a command to submit: python launch.py submit [options] train NAME ...")
    if command == "sweep":
        tiny = ["--tiny"] if options["tiny"] else []
        keys = ("name", "overrides", "tiny", "into", "trials", "seed")
        trials = apart(*(options[key] for key in keys))
        return [["train", options["name"], *tiny, *settings, "--run", str(run)] for settings, run in trials] or [words]
    if command == "train":
        experiments.resolve(options["name"], options["overrides"], options["tiny"])
    return [words]
