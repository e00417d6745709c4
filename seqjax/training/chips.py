# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What chips can do at best, and the time that this leaves an update."""

import dataclasses


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
