# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""RNN, GRU, LSTM, LSTM with attention and Transformer as encoder-decoders of equal size, on one text, by one loop.

    SEQJAX_DATA=... python -m benchmarks.architectures [--updates 1500] [--parameters 3000000] [--into FOLDER]
    SEQJAX_DATA=... python -m benchmarks.architectures --rungs LSTM "LSTM with attention"      # vector or attention

Each learns to translate the captions of Multi30k from English into German with the same tokens (pieces of 4,000 kinds),
batches, optimiser and number of updates; its width is the one that comes nearest to the number of parameters. The table
gives the loss and BLEU on the test split of 2016, and by the length of texts the updates a second (of batches with as
many places) and the tokens a second of greedy decoding. The figure shows these, and BLEU by the length of the sentence:
what attention is for (Bahdanau et al. 2015, figure 2). Runs that are complete are not run again, so that rungs may be
trained a few at a time.
"""

import argparse
import bisect
import dataclasses
import functools
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.quality import data_folder, done
from experiments import multi30k_en_de_rnn
from seqjax import trees
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.decoding.generate import generate
from seqjax.decoding.samplers import Greedy
from seqjax.evaluation.evaluate import reported, scorer
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.models.model import ModelConfig, build, initialise, shapes
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.objectives.text_to_text import TextToText
from seqjax.training import checkpoint, optimizers
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.prepare import reopen
from seqjax.training.step import initial_state, train_step

RUNGS = ("RNN", "GRU", "LSTM", "LSTM with attention", "Transformer")
COLOURS = dict(zip(RUNGS, ("#D55E00", "#009E73", "#0072B2", "#56B4E9", "#CC79A7"), strict=True))
LENGTHS = (16, 32, 64, 128)
PLACES = 2048  # of the source in a batch
PIECES = 4000
ROWS = 16  # texts that are decoded together


def model(rung: str, width: int) -> ModelConfig:
    """Returns a rung of the ladder."""
    if rung == "Transformer":
        return families.transformer(
            vocab_size=PIECES, layers=3, decoder_layers=3, width=width, heads=4, mlp_width=4 * width, dropout=0.1,
            norm="pre", init_std=width**-0.5,
        )  # fmt: skip
    attention = "additive" if "attention" in rung else "none"
    cell = rung.split()[0].lower()
    return Seq2SeqConfig(PIECES, cell=cell, attention=attention, width=width, embed_width=128, dropout=0.1)


def sized(rung: str, parameters: int) -> ModelConfig:
    """Returns the rung whose number of parameters comes nearest."""

    def count(width: int) -> int:
        return trees.count(shapes(build(model(rung, width))))

    widths = range(64, 1025, 16)
    above = bisect.bisect_left(widths, parameters, key=count)
    nearest = widths[max(above - 1, 0) : above + 1]
    return model(rung, min(nearest, key=lambda width: abs(count(width) - parameters)))


def experiment(config: ModelConfig, updates: int, folder: Path) -> Experiment:
    """Returns the run that all of them make."""
    files = [",".join(str(folder / f"{name}.{side}.gz") for side in ("en", "de")) for name in
             ("train", "val", "test_2016_flickr")]  # fmt: skip
    captions = Source(*(f"parallel:{pair}" for pair in files), pair="pair")
    data = {"source": captions, "tokenizer": f"bpe:{PIECES}", "places": PLACES}
    return dataclasses.replace(
        derive(multi30k_en_de_rnn.experiment(), data=data),
        name="architectures", model=config, objective=TextToText(ratio=1.15, label_smoothing=0.1),
        optimizer=Optimizer(peak_lr=2e-3, warmup=updates // 8, weight_decay=0.0), parallel=Parallel(devices=1),
        run=Run(steps=updates, log_every=50, eval_every=max(1, updates // 4)),
    )  # fmt: skip


def quality(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Trains and returns the loss and the report of texts on test."""
    done(experiment, folder)
    resolved, params = checkpoint.load(folder)
    prepared = reopen(resolved, folder)
    parts = (prepared.model, prepared.dataset, Devices(resolved.parallel))
    scores = scorer(*parts, 0)(params, "test")
    return {"loss": scores["loss"], **reported(*parts, params, "test")}


def speeds(config: ModelConfig, length: int) -> tuple[float, float]:
    """Returns updates a second, and tokens a second of decoding, of texts of so many tokens."""
    built = build(config)
    params = initialise(built, jax.random.key(0))
    rng = np.random.default_rng(0)
    rows = PLACES // length
    ids, ones = rng.integers(5, PIECES, (3, rows, length)), np.ones((rows, length), np.int32)
    places = np.broadcast_to(np.arange(length), (rows, length))
    batch = {
        "source": ids[0], "source_segments": ones, "source_positions": places, "tokens": ids[1], "targets": ids[2],
        "weights": ones.astype(np.float32), "segments": ones, "positions": places,
    }  # fmt: skip
    optimizer = optimizers.build(Optimizer(), params, 100)
    options = {"apply": built.apply, "objective": TextToText(), "optimizer": optimizer}
    step = jax.jit(functools.partial(train_step, **options), donate_argnums=0)
    state = initial_state(jax.tree.map(jax.numpy.copy, params), optimizer)
    key = jax.random.key(1)
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, batch, key))
        seconds.append(time.perf_counter() - begun)
    sources = ids[0, :ROWS].tolist() if rows >= ROWS else rng.integers(5, PIECES, (ROWS, length)).tolist()
    decoding = []
    for _ in range(3):
        begun = time.perf_counter()
        generate(built, params, sources=sources, sampler=Greedy(), new=length, start=1)
        decoding.append(time.perf_counter() - begun)
    return 1.0 / min(seconds[1:]), ROWS * length / min(decoding[1:])


def main() -> None:
    """Prints the table and writes the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=1500)
    parser.add_argument("--parameters", type=int, default=3_000_000)
    parser.add_argument("--rungs", nargs="+", choices=RUNGS, default=RUNGS, metavar="RUNG", help=", ".join(RUNGS))
    parser.add_argument("--runs", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--into", type=Path, default=Path("benchmarks/figures"))
    options = parser.parse_args()
    folder = data_folder() / "multi30k"
    results: dict[str, dict[str, Any]] = {}
    by_length = "".join(f"{length:>8}" for length in LENGTHS)
    print(f"{'':20} parameters    loss    BLEU   updates/s at{by_length}   tokens/s at{by_length}")
    for rung in options.rungs:
        config = sized(rung, options.parameters)
        found = quality(experiment(config, options.updates, folder), options.runs / rung.replace(" ", "-"))
        found["speeds"] = [speeds(config, length) for length in LENGTHS]
        found["parameters"] = trees.count(shapes(build(config)))
        results[rung] = found
        training, decoding = zip(*found["speeds"], strict=True)
        print(
            f"{rung:20} {found['parameters']:>10,}  {found['loss']:.3f}  {found['bleu']:>6.2f}               "
            + "".join(f"{value:>8.2f}" for value in training)
            + "              "
            + "".join(f"{value:>8,.0f}" for value in decoding),
            flush=True,
        )
    options.into.mkdir(parents=True, exist_ok=True)
    draw(results, options.into / "architectures.png")
    print(json.dumps({rung: {k: v for k, v in each.items() if k != "samples"} for rung, each in results.items()}))


def draw(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Writes the figure: BLEU by the sentence's length, and both speeds by length."""
    from matplotlib.figure import Figure

    image = Figure(figsize=(13, 4), layout="constrained")
    bleu, training, decoding = image.subplots(1, 3)
    for rung, found in results.items():
        style: dict[str, Any] = {"color": COLOURS[rung], "marker": "o", "label": rung}
        parts = found["by_length"]
        bleu.plot([part["longest"] for part in parts], [part["bleu"] for part in parts], **style)
        for panel, place in ((training, 0), (decoding, 1)):
            panel.loglog(LENGTHS, [each[place] for each in found["speeds"]], **style)
    for panel, x, title in (
        (bleu, "words of the sentence, up to", "BLEU on test 2016"),
        (training, "tokens of a text", f"updates a second, {PLACES:,} places each"),
        (decoding, "tokens of a text", "tokens a second of greedy decoding"),
    ):
        panel.set_xlabel(x)
        panel.set_title(title)
    bleu.legend()
    image.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
