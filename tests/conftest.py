# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Eight virtual CPU devices, full precision, and a data cache of the test run's own."""

import atexit
import gc
import os
import shutil
import tempfile

# XLA sizes its thread pool by this; with fewer than two threads for each virtual device its collectives deadlock.
os.environ["NPROC"] = "16"
# Most of the tests' time is compiling: unoptimised machine code of the same programs is ready in a third of it.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "")
    + " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    + " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    + " --xla_cpu_collective_call_warn_stuck_timeout_seconds=20 --xla_cpu_collective_call_terminate_timeout_seconds=60"
)

# Many tests compile the same small programs, some of them in processes of their own; and tests never read or write the
# user's cache of data. Workers of one test run share both folders.
if "SEQJAX_TESTS" not in os.environ:
    os.environ["SEQJAX_TESTS"] = tempfile.mkdtemp(prefix="seqjax-tests-")
    atexit.register(shutil.rmtree, os.environ["SEQJAX_TESTS"], ignore_errors=True)
os.environ["SEQJAX_CACHE"] = os.path.join(os.environ["SEQJAX_TESTS"], "data")
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.path.join(os.environ["SEQJAX_TESTS"], "programs")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Traces are many small objects that die young; looking through all of the old ones for garbage takes a tenth of the time.
gc.set_threshold(200_000, 50, 50)

# Lines of source code that nobody reads are a tenth of the cost of lowering a program.
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"

import jax
import numpy as np
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture
def rng():
    return np.random.default_rng(0)
