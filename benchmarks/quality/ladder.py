# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Five pretraining objectives at equal cost, then the same fine-tuning from each and from random initialisation.

    SEQJAX_DATA=... python -m benchmarks.quality.ladder [--corpus docs ptb] [--steps 600] [--tune 200] [--seeds 3]
        [--into FOLDER]

Models of about 3M parameters (4 layers of width 192 and 4,096 ids of the corpus; the encoder-decoder has 2 + 2 layers,
the detector's generator a quarter of the width), the same tokenizer, places read and optimiser for all, the published
settings of each objective. Fine-tuned on `package` (which package is this source from?) and SST-2 (sentences), accuracy
on test at the best of the validation scores. Runs that are complete are not run again.
"""

import argparse
import dataclasses
import functools
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.quality import accuracies, done, jsonl, spread, sst2, text
from seqjax import trees
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.model import shapes
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.mlm import MLM
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.rtd import RTD
from seqjax.objectives.span_corruption import SpanCorruption
from seqjax.objectives.supervised import Classification
from seqjax.training import checkpoint
from seqjax.training.environment import keep_memory
from seqjax.training.optimizers import Optimizer

OBJECTIVES: dict[str, tuple[Any, str]] = {  # with the layout of its rows
    "CLM": (CLM(), "pack"),
    "MLM": (MLM(), "pack"),
    "MLM + NSP": (PairedMLM(), "pad"),
    "RTD": (RTD(), "pack"),
    "span corruption": (SpanCorruption(), "stream"),
}
LENGTH = 64
LINES = 40  # of the Penn Treebank, which has no paragraphs, are taken for a document


def corpus(name: str, into: Path) -> Source:
    """Returns the text to pretrain on."""
    if name == "docs":
        return Source("stdlib/docs")
    specs = []
    for split in ("train", "valid"):
        lines = text("ptb", f"ptb.{split}.txt.gz").splitlines()
        documents = ({"text": "\n".join(lines[at : at + LINES])} for at in range(0, len(lines), LINES))
        specs.append(jsonl(into / f"ptb.{split}.jsonl", documents))
    return Source(*specs)


def pretraining(name: str, source: Source, steps: int) -> Experiment:
    """Returns the run of an objective."""
    objective, layout = OBJECTIVES[name]
    model = TransformerConfig(
        layers=4, width=192, heads=4, mlp_width=768, max_length=256, positions="rotary", dropout=0.0,
        causal=objective.one_way or objective.sources,
        head_transform=not objective.sources, head_bias=not objective.sources,
    )  # fmt: skip
    if objective.sources:
        model = dataclasses.replace(model, layers=2, decoder_layers=2)
    return Experiment(
        name=f"ladder-{name}",
        data=Data(source, tokenizer="bpe:4096", length=LENGTH, batch=64, layout=layout),
        model=model,
        objective=objective,
        optimizer=Optimizer(name="muon", peak_lr=1e-2, warmup=min(50, steps), b2=0.98),
        run=Run(steps=steps, log_every=20, eval_every=steps, eval_rows=512),
    )


def tuning(base: Experiment, source: Source, tokenizer: Path, steps: int, init_from: str, seed: int) -> Experiment:
    """Returns the run that classifies."""
    return dataclasses.replace(
        base,
        name="ladder-task",
        data=Data(source, tokenizer=str(tokenizer), length=LENGTH, batch=32, layout="pad"),
        model=dataclasses.replace(base.model, dropout=0.1),
        objective=Classification(pool="mean"),
        optimizer=Optimizer(peak_lr=3e-3, warmup=20),
        run=Run(
            steps=steps, log_every=20, eval_every=max(1, steps // 4), metric="accuracy", direction="max", seed=seed
        ),
        init_from=init_from,
    )


def main() -> None:
    """Trains what is missing; prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", nargs="+", choices=("docs", "ptb"), default=("docs", "ptb"))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--tune", type=int, default=200, help="updates of fine-tuning")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--into", type=Path, default=Path("runs/ladder"))
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, Any]] = []
    for source_name in options.corpus:
        text_source = corpus(source_name, options.into)
        for name in [*OBJECTIVES, "random"]:
            slug = f"{source_name}-{name}".replace(" + ", "-").replace(" ", "-").lower()
            base = pretraining("MLM" if name == "random" else name, text_source, options.steps)
            tokenizer = options.into / f"{source_name}-mlm" / "tokenizer" / "tokenizer.json"
            if name != "random":
                done(base, options.into / slug)
            row: dict[str, Any] = {"corpus": source_name, "objective": name}
            init_from = "" if name == "random" else str(options.into / slug)
            for labelled in ("package", "sst2"):
                source = Source("stdlib/package") if labelled == "package" else sst2()
                tune = functools.partial(tuning, base, source, tokenizer, options.tune, init_from)
                row[labelled] = accuracies(tune, f"{options.into / slug}-{labelled}", options.seeds)
            if name != "random":
                experiment, _ = checkpoint.load(options.into / slug)
                row["parameters"] = trees.count(shapes(experiment.objective.build(experiment.model)))
            table.append(row)
            print(line(row), file=sys.stderr)
    print("| corpus | objective | parameters | package | SST-2 |\n|---|---|---|---|---|")
    for row in table:
        print(line(row))
    print(json.dumps(table))


def line(row: dict[str, Any]) -> str:
    """Returns a row of the table, mean and standard deviation over seeds."""
    shown = [f"{row.get('parameters', 0) / 1e6:.1f}M" if "parameters" in row else "-"]
    shown += [spread(row[labelled]) for labelled in ("package", "sst2")]
    return f"| {row['corpus']} | {row['objective']} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    keep_memory()
    main()
