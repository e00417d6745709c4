# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run asks of the machine it runs on."""

import json
import multiprocessing
import os
import platform
import subprocess
import sys

import jax
import pytest

from seqjax.errors import UserError
from seqjax.training import environment
from tests.training.settings import experiment, measured, run_counted, text

APART = multiprocessing.get_context("forkserver")
APART.set_forkserver_preload(["tests.training.settings"])
PROGRAM = """
import ctypes, os, resource, sys
from seqjax.training.environment import keep_memory

print("begun", flush=True)
keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
for _ in range(2):
    before, block = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, libc.malloc(1 << 28)
    ctypes.memset(block, 1, 1 << 28)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    libc.free(block)
print(os.environ["GLIBC_TUNABLES"], faults, *sys.argv[1:])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
@pytest.mark.parametrize("own", [None, "glibc.malloc.hugetlb=0"])
def test_a_program_starts_anew_and_keeps_memory_unless_told_otherwise(own):
    """Memory that was freed and is taken again costs no page faults; by default a block of 256 MB costs at least 128."""
    outside = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    outside |= {"GLIBC_TUNABLES": own} if own else {}
    command = [sys.executable, "-c", PROGRAM, "two words", "--more"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=outside).stdout
    *begun, last = output.splitlines()
    assert begun == (["begun"] if own else ["begun", "begun"])
    tunables, faults, *words = last.split(" ")
    assert words == ["two", "words", "--more"]
    assert (tunables, int(faults) >= 128) == (own, True) if own else int(faults) < 32


def test_a_second_start_compiles_nothing_and_a_repeatable_run_says_how(tmp_path):
    """In processes of their own, with a cache that is empty at first and flags that they set themselves."""
    config = experiment(text(tmp_path), steps=3, deterministic=True)
    counts = []
    for name in ("first", "second"):
        folder = tmp_path / name
        process = APART.Process(target=run_counted, args=(config, folder, tmp_path / "cache", tmp_path / "counts.json"))
        process.start()
        process.join(240)
        assert process.exitcode == 0
        counts.append(json.loads((tmp_path / "counts.json").read_text()))
        written = json.loads((folder / "run.json").read_text())["switches"]
        assert written.items() >= environment.REPEATABLE.items()
        assert "xla_backend_optimization_level" in written  # what was set before stays
    assert counts[0]["compile_requests_use_cache"] > counts[0]["cache_hits"] + 5
    assert counts[1]["compile_requests_use_cache"] == counts[1]["cache_hits"]
    assert measured(tmp_path / "first") == measured(tmp_path / "second")


def test_flags_that_come_too_late(monkeypatch):
    jax.devices()  # XLA has started
    with pytest.raises(UserError, match=r"too late for this process; start it with XLA_FLAGS='--xla_gpu_determin"):
        environment.make_repeatable()
    flags = " ".join(f"--{name}={value}" for name, value in environment.REPEATABLE.items())
    monkeypatch.setenv("XLA_FLAGS", f"--xla_gpu_autotune_level=4 --xla_some_flag {flags}")
    environment.make_repeatable()  # which are there
    assert environment.switches() == environment.REPEATABLE | {"xla_some_flag": "true"}
