# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run asks of the machine it runs on."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import jax, jax.numpy as jnp
from seqjax.training.environment import keep_memory

jax.config.update("jax_platforms", "cpu")
assert sys.argv[1] == "as it is" or keep_memory()
step = jax.jit(lambda x: x + 1)
x = jnp.zeros(16_000_000)  # 64 MB
for _ in range(5):
    step(x).block_until_ready()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step(x).block_until_ready()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_kept_memory_is_not_mapped_anew():
    def faults(how):
        command = [sys.executable, "-c", FAULTS, how]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert faults("kept") * 10 < faults("as it is")
