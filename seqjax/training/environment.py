# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run ran on, so that a difference can be traced to its ingredient."""

import hashlib
import logging
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from seqjax.data.cache import cache_dir
from seqjax.errors import UserError

PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy", "tokenizers", "sentencepiece",
    "tensorflow-datasets", "array-record",
)  # fmt: skip
# Compilers and kernels of accelerators, wherever they are installed.
ACCELERATED = re.compile(r"libtpu|jax-(cuda|rocm)\d+-(plugin|pjrt)|nvidia-(cudnn|cublas|cuda-nvcc|nccl).*")


# Autotuning times kernels that round differently and keeps the fastest. Scatter, with which gradients of embeddings are
# summed, adds in any order unless it is expanded; the expander is the faster of the two ways that keep an order.
REPEATABLE = {
    "xla_gpu_deterministic_ops": "true",
    "xla_gpu_exclude_nondeterministic_ops": "true",
    "xla_gpu_enable_scatter_determinism_expander": "true",
    "xla_gpu_autotune_level": "0",
}

# One heap of which every thread takes, that neither maps large blocks apart nor shrinks.
MALLOC = {"hugetlb": 1, "arena_max": 1, "mmap_max": 0, "trim_threshold": 1 << 40}


def versions() -> dict[str, str]:
    """Returns {package: version} of what can change a run's numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    installed = {each.name: each.version for each in metadata.distributions()}
    return found | {name: version for name, version in sorted(installed.items()) if ACCELERATED.fullmatch(name)}


def git() -> dict[str, Any]:
    """Returns the commit of this code and whether files differ from it; {"commit": None} outside a repository."""
    here = Path(__file__).parent

    def ask(*words: str) -> str:
        answer = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True, timeout=20)
        return answer.stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "changed": None}


def hardware() -> dict[str, Any]:
    """Returns the devices, hosts and processor that a run sees."""
    import jax

    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "device": device.device_kind,
        "devices": jax.device_count(),
        "hosts": jax.process_count(),
        "machine": platform.machine(),
        "processor": _processor(),
    }


def keep_compiled_programs() -> None:
    """Keeps compiled programs in the cache folder, one for each kind of processor, so that a second run starts sooner.

    All are kept, for most of the two dozen of a run are ready in less than the second which JAX would let pass. The
    environment variables JAX_COMPILATION_CACHE_DIR and JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS say otherwise.
    """
    import jax

    if not os.environ.get("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        kind = hashlib.sha256(f"{platform.machine()} {_processor()}".encode()).hexdigest()[:12]
        jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "programs" / kind))


def say_choices() -> None:
    """Shows on stderr what the library logs of its choices; see `seqjax.models.kernels.announce`."""
    logger = logging.getLogger("seqjax")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)
        logger.propagate = False


def make_repeatable() -> None:
    """Has XLA give the same bits each time on a GPU: sums in one order, kernels chosen by rule and not by a race.

    Raises:
      UserError: XLA has started without, and reads its flags only then.
    """
    from jax._src import xla_bridge  # no public function tells

    found = switches()
    if all(found.get(name) == value for name, value in REPEATABLE.items()):
        return
    wanted = " ".join(f"--{name}={value}" for name, value in REPEATABLE.items())
    if xla_bridge.backends_are_initialized():
        raise UserError(f"run.deterministic=true comes too late for this process; start it with XLA_FLAGS='{wanted}'")
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {wanted}".strip()


def switches() -> dict[str, str]:
    """Returns the flags of XLA, {name: value}: the last of a name counts, and one without a value is true."""
    words = (word.lstrip("-").partition("=") for word in os.environ.get("XLA_FLAGS", "").split())
    return {name: value if equals else "true" for name, equals, value in words}


def keep_memory() -> None:
    """Starts this program anew with glibc asked to keep what is freed, in huge pages, where it was not told otherwise.

    XLA on a CPU takes memory for temporary arrays, often gigabytes, at each execution and frees it at its end. Given
    back to the system and taken anew, it costs page faults, and most where the width of batches changes.
    glibc (2.35 and newer) reads its settings only when a process starts, from GLIBC_TUNABLES; whoever has set that
    variable is left alone, as on a machine that has no memory to spare: a process keeps more.
    """
    if platform.libc_ver()[0] == "glibc" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = ":".join(f"glibc.malloc.{name}={value}" for name, value in MALLOC.items())
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
