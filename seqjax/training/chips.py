# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What chips can do at best, the denominator of MFU, and the time that this leaves an update."""

import dataclasses
import functools
import math
import re
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import jax


@dataclasses.dataclass(frozen=True)
class Chip:
    """Peaks of one chip.

    Attributes:
      flops: FLOP/s of dense bfloat16 products.
      hbm: bytes of memory.
      hbm_bandwidth: bytes/s.
      ici_bandwidth: bytes/s that it sends to its neighbours, over all links together.
    """

    flops: float
    hbm: float
    hbm_bandwidth: float
    ici_bandwidth: float

    def part(self, devices: int) -> "Chip":
        """Returns the share of one of so many JAX devices that the chip shows (a v4's two cores are two)."""
        return Chip(*(value / devices for value in dataclasses.astuple(self)))


# The system architecture pages of the Cloud TPU documentation (docs.cloud.google.com/tpu/docs/v4, v5e, v5p, v6e). They
# give the interconnect of v4 and v5e in Gbit/s one way, of v5p and v6e in GB/s both ways, here halved.
CHIPS = {
    "v4": Chip(flops=275e12, hbm=32 * 2**30, hbm_bandwidth=1200e9, ici_bandwidth=2400e9 / 8),
    "v5e": Chip(flops=197e12, hbm=16 * 2**30, hbm_bandwidth=819e9, ici_bandwidth=1600e9 / 8),
    "v5p": Chip(flops=459e12, hbm=95 * 2**30, hbm_bandwidth=2765e9, ici_bandwidth=1200e9 / 2),
    "v6e": Chip(flops=918e12, hbm=32 * 2**30, hbm_bandwidth=1600e9, ici_bandwidth=800e9 / 2),
}


def roofline(chip: Chip, flops: float, hbm_bytes: float, ici_bytes: float) -> dict[str, float]:
    """Returns the seconds that each resource needs at its peak; the largest is a lower bound of an update's time.

    Source: Williams, Waterman & Patterson 2009, "Roofline", with the interconnect as a third roof.

    Args:
      chip: of which there is one for each share.
      flops: that one device computes.
      hbm_bytes: that it reads from and writes to its memory.
      ici_bytes: that it sends to others.
    """
    return {
        "compute": flops / chip.flops,
        "hbm": hbm_bytes / chip.hbm_bandwidth,
        "ici": ici_bytes / chip.ici_bandwidth,
    }


# (pattern for the whole device kind, peak FLOP/s of one JAX device)
_PEAK: tuple[tuple[str, float], ...] = (
    (r"TPU v2", 45e12 / 2),
    (r"TPU v3", 123e12 / 2),
    (r"TPU v4", CHIPS["v4"].flops),
    (r"TPU v5 ?(lite|e)", CHIPS["v5e"].flops),
    (r"TPU v5p?", CHIPS["v5p"].flops),
    (r"TPU v6 ?(lite|e)", CHIPS["v6e"].flops),
    (r"TPU ?v?7x", 2307e12 / 2),
    (r".*\bV100S\b.*", 130e12),
    (r".*\bV100-PCIE\b.*", 112e12),
    (r".*\bV100\b.*", 125e12),
    (r".*\bA100\b.*", 312e12),
    (r".*\bH100 PCIe", 756e12),
    (r".*\bH[12]00 NVL", 835.5e12),
    (r".*\bH[12]00\b.*", 989.4e12),
    (r".*\bL4", 121e12),
    (r".*\bT4", 65e12),
    (r".*\bRTX 4090", 165.2e12),
)


def peak_flops(device: "jax.Device") -> float:
    """Returns the peak FLOP/s of one JAX device, the denominator of MFU (Chowdhery et al. 2022, section 4.1).

    For an accelerator it is the vendor's number for dense bfloat16 matrix products (float16 on V100 and T4, which have
    no bfloat16); NaN for one that is not in the table, a MIG slice included. Sources: the system architecture pages of
    the Cloud TPU documentation for v2 to v6e and TPU7x (there by chip; v2, v3 and TPU7x show JAX two devices for a
    chip); the NVIDIA datasheets of V100, A100, H100, H200, L4 and T4 (from H100 and L4 half the number printed, which
    is with sparsity) and the Ada architecture whitepaper for the RTX 4090 (float32 accumulation).

    A CPU is measured, once: the best of thirty float32 products of 1024 x 1024 matrices. Virtual CPU devices share the
    processor, and each is given the whole of it.
    """
    if device.platform == "cpu":
        return _cpu_flops()
    if "MIG" in device.device_kind:
        return math.nan
    return next((peak for kind, peak in _PEAK if re.fullmatch(kind, device.device_kind)), math.nan)


@functools.cache
def _cpu_flops() -> float:
    import jax

    size = 1024
    x = jax.device_put(np.full((size, size), 0.5, np.float32), jax.local_devices(backend="cpu")[0])
    product = jax.jit(lambda x: x @ x)
    product(x).block_until_ready()  # compiles
    seconds = []
    for _ in range(30):  # so many that a machine with other work finds a quiet moment
        start = time.perf_counter()
        product(x).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return 2.0 * size**3 / min(seconds)
