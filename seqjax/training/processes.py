# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several processes of one run: how they find each other, who of them writes, and what is said when one is lost.

Every process runs the same program on the same settings and sees the same run folder. The first alone writes what
people read; checkpoints are written by all. Nothing survives the loss of a process: JAX ends the others, and all are
started again.
"""

import atexit
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
from jax._src import distributed  # its store of keys and its barriers wait for hours, and start no XLA
from jax.experimental import multihost_utils

from seqjax.errors import UserError

START_SECONDS = 300  # hosts of a pod come up minutes apart, while containers are fetched
HEARTBEAT_SECONDS = 30  # threads of XLA send them: a busy Python is not late, and idle accelerators are dear
END_SECONDS = 120  # the first process draws the report while the others wait; so does one that failed alone
PREPARE_SECONDS = 24 * 3600  # in which the slowest has read and tokenised its data; one that is lost is noticed sooner
SEEN_SECONDS = 60  # network file systems remember for so long that a file was not there
TORN = ("UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "CANCELLED")  # what a connection's end is called
LOST = (
    "error: this process was ended from outside or because another process of the run was lost; start all of them "
    "again by the same command: the run goes on from its last checkpoint"
)


def connect(coordinator: str | None = None, processes: int | None = None, process: int | None = None) -> None:
    """Joins this process to the others of its run; before the first computation.

    Without arguments JAX asks the cluster (Slurm, Open MPI, Kubernetes, TPU pods). Where the others do not come within
    START_SECONDS the program ends with status 2 and a line of advice: XLA, which waits for them, raises nothing. Where
    one is lost later, XLA ends this process within HEARTBEAT_SECONDS, with status 134 (SIGABRT), and LOST is printed;
    see also `together`.

    Args:
      coordinator: HOST:PORT of process 0, a port that is free there.
      processes: how many there are.
      process: which of them this is, from 0.

    Raises:
      UserError: some but not all of them are given, or impossible ones; no cluster is known; the port is taken.
    """
    given = (coordinator, processes, process)
    explicit = coordinator is not None and processes is not None and process is not None
    if not explicit and given != (None, None, None):
        raise UserError("--coordinator, --processes and --process go together; on Slurm and TPU pods leave all out")
    if explicit:
        _check(coordinator, processes, process)
    missing = threading.Timer(START_SECONDS, _give_up, [coordinator, processes])
    missing.daemon = True
    missing.start()
    try:
        jax.distributed.initialize(
            coordinator, processes, process, initialization_timeout=START_SECONDS + 60,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS, shutdown_timeout_seconds=END_SECONDS,
        )  # fmt: skip
    except (ValueError, RuntimeError) as error:  # of arguments that no cluster completes; of gRPC
        if not explicit:
            raise UserError(
                f"--distributed finds no cluster here ({_line(error)}); give --coordinator, --processes and --process"
            ) from None
        raise UserError(f"cannot join the run at {coordinator} ({_line(error)}); try another port") from None
    finally:
        missing.cancel()
    _watch()


@contextmanager
def together() -> Iterator[None]:
    """While open, an error that tells of a torn connection ends the program with status 1 and LOST, not a traceback.

    Outside of several processes it does nothing. Whether the loss of a process is met here or ends this process as
    `connect` says depends on what it was doing.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1 or str(error).partition(":")[0] not in TORN:
            raise
        print(_line(error), file=sys.stderr, flush=True)
        os._exit(1)  # a usual end would wait for those that are lost; the shell of `_watch` says the rest


_meetings = itertools.count()  # as many in each process


@contextmanager
def agreed() -> Iterator[None]:
    """Ends when every process has come to the end of it: what one of them meets alone is told to all, which all end.

    Outside of several processes it does nothing.

    Raises:
      UserError: in the others, with what is wrong in the one.
    """
    client = distributed.global_state.client
    if client is None:
        yield
        return
    name = f"seqjax/{next(_meetings)}"
    try:
        yield
    except (UserError, OSError) as error:
        client.key_value_set(f"{name}/{distributed.global_state.process_id}", _line(error))
        client.wait_at_barrier(name, 1000 * PREPARE_SECONDS)
        raise
    client.wait_at_barrier(name, 1000 * PREPARE_SECONDS)
    for key, text in client.key_value_dir_get(f"{name}/"):
        raise UserError(f"process {key.rpartition('/')[2]} cannot begin: {text}")


def first() -> bool:
    """Returns whether this is the process that writes what people read."""
    return jax.process_index() == 0


def meet(name: str) -> None:
    """Returns when every process of the run has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def see(path: Path) -> None:
    """Returns when a file that the first process wrote is seen here.

    Raises:
      UserError: it is not, after SEEN_SECONDS.
    """
    deadline = time.monotonic() + SEEN_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise UserError(f"process {jax.process_index()} sees no {path}; give --run a folder that all processes see")
        time.sleep(0.2)


def _check(coordinator: Any, processes: Any, process: Any) -> None:
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"--coordinator {coordinator} must be HOST:PORT, for example 10.0.0.1:1234")
    if processes < 1:
        raise UserError(f"--processes {processes} must be at least 1")
    if not 0 <= process < processes:
        raise UserError(f"--process {process} must be at least 0 and less than --processes {processes}")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _give_up(coordinator: str | None, processes: int | None) -> None:
    who = f"all {processes} processes" if processes else "all processes"
    where = f" and can reach {coordinator}" if coordinator else " and can reach the first"
    print(
        f"error: the processes of this run did not meet within {START_SECONDS} seconds; see that {who} run{where}, "
        "then start all again",
        file=sys.stderr,
        flush=True,
    )
    os._exit(2)  # the main thread is inside XLA and would not hear of it


def _watch() -> None:
    """Has a shell wait for the end of this process, to print LOST unless it was told that all is well.

    XLA ends a process that has lost a peer by `abort`, of which Python hears nothing.
    """
    watcher = subprocess.Popen(
        ["sh", "-c", 'trap "" TERM INT HUP; read word || echo "$1" >&2', "sh", LOST],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_leave, watcher)


def _leave(watcher: subprocess.Popen[bytes]) -> None:
    jax.distributed.shutdown()  # waits for the others
    watcher.communicate(b"well\n")
