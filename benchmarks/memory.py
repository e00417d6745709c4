# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Memory of a chip that GPT-2's update needs, by kernel, rematerialisation and vocabulary loss.

    python -m benchmarks.memory [--topology v5e:2x2] [--rows 8] [--length 1024]

GPT-2 small without dropout in bfloat16, so many rows on each chip, compiled for TPUs that need not be here (pip install
-r requirements-tpu.txt). GiB of a chip as the compiler plans them; what does not fit is refused by the compiler. Prints
a line of a table for each choice as it is compiled, a minute or two each.
"""

import argparse
import math

from experiments import gpt2_small
from seqjax.config import derive
from seqjax.errors import UserError
from seqjax.training.ahead import compiled_for

CHOICES = (  # kernel, remat, places that have logits at a time on each chip
    ("plain", "none", 0),
    ("splash", "none", 0),
    ("splash", "none", 2048),
    ("splash", "dots", 0),
    ("splash", "dots", 2048),
    ("splash", "full", 2048),
    ("chunked", "dots", 2048),
    ("plain", "dots", 2048),
    ("plain", "full", 2048),
)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topology", default="v5e:2x2")
    parser.add_argument("--rows", type=int, default=8, help="of a chip")
    parser.add_argument("--length", type=int, default=1024)
    options = parser.parse_args()
    chips = math.prod(int(axis) for axis in options.topology.partition(":")[2].split("x"))
    print("| attention | `model.remat` | logits | temporaries | in all | MFU at most |\n|---|---|---|---|---|---|")
    for kernel, remat, chunk in CHOICES:
        experiment = derive(
            gpt2_small.experiment(),
            data={"batch": options.rows * chips, "length": options.length},
            model={"dropout": 0.0, "remat": remat, "attention_kernel": kernel, "max_length": options.length},
            objective={"chunk": chunk * chips},
        )
        named = f"| {kernel} | {remat} | {f'{chunk:,} at a time' if chunk else 'all'} |"
        try:
            found = compiled_for(experiment, options.topology)
        except UserError as error:
            print(f"{named} {str(error).partition(': ')[2].partition(';')[0] or error} | | |", flush=True)
            continue
        sizes = " | ".join(f"{found['memory'][name] / 2**30:.2f}" for name in ("temporaries", "total"))
        print(f"{named} {sizes} | {found['mfu_bound']:.0%} |", flush=True)


if __name__ == "__main__":
    main()
