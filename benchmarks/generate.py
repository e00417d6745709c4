# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Greedy generation with a cache on this machine's CPU: seqjax beside PyTorch's GPT-2 of the `transformers` library.

    pip install -r requirements-parity.txt
    python -m benchmarks.generate [--batch 1 8] [--rounds 3]

GPT-2 small's shape (124M parameters, random weights, float32): 64 new tokens after prompts of 64, in processes of their
own, one after the other in each round; the figure is the median over rounds of 3 calls each, after one that compiles.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PROMPT, NEW, VOCABULARY = 64, 64, 50_257


def ours(batch: int) -> Callable[[], Any]:
    """Returns a function that generates."""
    import jax

    from seqjax.decoding.generate import generate
    from seqjax.decoding.samplers import Greedy
    from seqjax.models import families
    from seqjax.models.model import build, initialise

    model = build(families.gpt2(dropout=0.0))
    params = initialise(model, jax.random.key(0))
    return lambda: generate(model, params, _prompts(batch).tolist(), sampler=Greedy(), new=NEW)


def theirs(batch: int) -> Callable[[], Any]:
    """The same with PyTorch."""
    import torch
    import transformers

    net = transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval()
    settings = transformers.GenerationConfig(
        do_sample=False, min_new_tokens=NEW, max_new_tokens=NEW, pad_token_id=0, eos_token_id=0
    )
    tokens = torch.from_numpy(_prompts(batch))
    mask = torch.ones_like(tokens)

    def run() -> Any:
        with torch.inference_mode():
            return net.generate(tokens, attention_mask=mask, generation_config=settings)

    return run


def _prompts(batch: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, VOCABULARY, (batch, PROMPT))


def main() -> None:
    """Prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=("seqjax", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run = {"seqjax": ours, "torch": theirs}[options.side](options.batch[0])
        run()
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - begun)
        print(json.dumps(seconds))
        return
    results = []
    for batch in options.batch:
        times: dict[str, list[float]] = {"seqjax": [], "torch": []}
        for _ in range(options.rounds):
            for side in times:
                command = [sys.executable, "-m", "benchmarks.generate", "--side", side, "--batch", str(batch)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                times[side] += json.loads(output.splitlines()[-1])
        rates = {side: batch * NEW / statistics.median(seconds) for side, seconds in times.items()}
        results.append({"batch": batch, "tokens_per_second": rates, "ratio": rates["seqjax"] / rates["torch"]})
        shown = ", ".join(f"{side} {rate:.1f}" for side, rate in rates.items())
        print(f"batch {batch}: {shown} tokens/s; seqjax is {results[-1]['ratio']:.2f} times as fast")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
