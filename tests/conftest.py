# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Eight virtual CPU devices, full precision, and a data cache of the test run's own."""

import os
import tempfile

# XLA sizes its thread pool by this; with fewer than two threads for each virtual device its collectives deadlock.
os.environ["NPROC"] = "16"
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "")
    + " --xla_cpu_collective_call_warn_stuck_timeout_seconds=20 --xla_cpu_collective_call_terminate_timeout_seconds=60"
)

# Many tests compile the same small programs, some of them in processes of their own.
os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="seqjax-tests-")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import jax
import numpy as np
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Tests never read or write the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("SEQJAX_CACHE")
    os.environ["SEQJAX_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["SEQJAX_CACHE"]
    else:
        os.environ["SEQJAX_CACHE"] = before


@pytest.fixture
def rng():
    return np.random.default_rng(0)
