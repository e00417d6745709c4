# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""One training step on this machine's CPU: seqjax beside PyTorch's models of the `transformers` library, with AdamW.

    pip install -r requirements-parity.txt
    python -m benchmarks.train_step [--model gpt2|bert] [--dtype float32|bfloat16] [--rounds 3] [--steps 5]

Each round runs the two one after the other in processes of their own, so that neither's threads disturb the other; the
figure is the median over all steps of all rounds, after two steps that compile and warm up. No dropout, no clipping.
"""

import argparse
import functools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from seqjax.training.environment import keep_memory

SIZES = {"gpt2": (4, 256, 32_000), "bert": (8, 128, 30_522)}  # rows, length, vocabulary


def flops(model: str) -> float:
    """Model FLOPs of a step: `seqjax.models.model.training_flops`."""
    from seqjax.models.model import training_flops

    rows, length, _ = SIZES[model]
    return training_flops(config(model), rows, length, length if model == "gpt2" else predictions(length))


def predictions(length: int) -> int:
    """Masked places of a row."""
    from seqjax.objectives.mlm import MLM

    return MLM().predictions(length)


def config(model: str, dtype: str = "float32") -> Any:
    """The base size of the family."""
    from seqjax.models import families

    length, vocabulary = SIZES[model][1:]
    if model == "gpt2":
        return families.gpt2(vocab_size=vocabulary, max_length=length, dropout=0.0, dtype=dtype)
    return families.bert(vocab_size=vocabulary, dropout=0.0, dtype=dtype)


def ours(model: str, dtype: str) -> Callable[[], float]:
    """Returns a function that does a step and returns the loss."""
    import jax

    from seqjax.models.model import build, initialise, shapes
    from seqjax.objectives.clm import CLM
    from seqjax.objectives.mlm import MLM
    from seqjax.training import optimizers
    from seqjax.training.step import initial_state, train_step

    rows, length, vocabulary = SIZES[model]
    rng = np.random.default_rng(0)
    batch: dict[str, Any] = {"tokens": rng.integers(5, vocabulary, (rows, length), dtype=np.int32)}
    batch["segments"] = np.ones((rows, length), np.int32)
    batch["positions"] = np.tile(np.arange(length, dtype=np.int32), (rows, 1))
    if model == "gpt2":
        batch |= {"targets": batch["tokens"], "weights": np.ones((rows, length), np.float32)}
    else:
        places = np.stack([rng.permutation(length)[: predictions(length)] for _ in range(rows)]).astype(np.int32)
        batch |= {
            "mlm_positions": places,
            "mlm_targets": np.take_along_axis(batch["tokens"], places, axis=1),
            "mlm_weights": np.ones(places.shape, np.float32),
        }
    built = build(config(model, dtype))
    optimizer = optimizers.build(optimizers.Optimizer(schedule="constant", peak_lr=1e-4, clip=0.0), shapes(built), 100)
    step = jax.jit(
        functools.partial(
            train_step, apply=built.apply, objective=CLM() if model == "gpt2" else MLM(), optimizer=optimizer
        ),
        donate_argnums=0,
    )
    state = initial_state(initialise(built, jax.random.key(0)), optimizer)
    key = jax.random.key(1)

    def run() -> float:
        nonlocal state
        state, pairs = step(state, batch, key)
        return float(pairs["loss"][0])

    return run


def theirs(model: str, dtype: str) -> Callable[[], float]:
    """The same with PyTorch; bfloat16 is its autocast."""
    import torch
    import transformers

    rows, length, vocabulary = SIZES[model]
    torch.manual_seed(0)
    if model == "gpt2":
        settings = transformers.GPT2Config(
            vocab_size=vocabulary, n_positions=length, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
        )
        net = transformers.GPT2LMHeadModel(settings)
    else:
        net = transformers.BertForMaskedLM(
            transformers.BertConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        )
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    tokens = torch.randint(5, vocabulary, (rows, length))
    labels = tokens.clone()
    if model == "bert":
        for row in labels:
            row[torch.randperm(length)[predictions(length) :]] = -100

    def run() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = net(input_ids=tokens, labels=labels).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    return run


def main() -> None:
    """Prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(SIZES), default="gpt2")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--side", choices=("seqjax", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        if options.side == "seqjax":
            keep_memory()  # as launch.py does
        run = {"seqjax": ours, "torch": theirs}[options.side](options.model, options.dtype)
        losses = [run(), run()]
        seconds = []
        for _ in range(options.steps):
            begun = time.perf_counter()
            losses.append(run())
            seconds.append(time.perf_counter() - begun)
        print(json.dumps({"seconds": seconds, "losses": losses}))
        return
    times: dict[str, list[float]] = {"seqjax": [], "torch": []}
    for _ in range(options.rounds):
        for side in times:
            command = [sys.executable, "-m", "benchmarks.train_step", "--side", side, *sys.argv[1:]]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            times[side] += json.loads(output.splitlines()[-1])["seconds"]
    result: dict[str, Any] = {"model": options.model, "dtype": options.dtype}
    for side, seconds in times.items():
        median = statistics.median(seconds)
        result[side] = {"seconds": median, "best": min(seconds), "gflops": flops(options.model) / median / 1e9}
        print(f"{side:8} {median:6.3f} s a step (best {min(seconds):.3f}), {result[side]['gflops']:5.0f} GFLOP/s")
    result["ratio"] = result["torch"]["seconds"] / result["seqjax"]["seconds"]
    print(f"seqjax is {result['ratio']:.2f} times as fast")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
