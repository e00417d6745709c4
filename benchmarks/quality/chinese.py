# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling of Chinese hotel, book and computer reviews, fine-tuned to say whether they praise.

    SEQJAX_DATA=... python -m benchmarks.quality.chinese [--steps 600] [--seeds 3] [--whole-word] [--into runs/chinese]

ChnSentiCorp with the vocabulary of the Chinese BERT (characters). 331 of the 1,200 test reviews stand in the training
file word for word, and others in the validation file: the score is the accuracy on the rest of test, and the best
checkpoint is chosen on the validation reviews that are not in training. Runs that are complete are not run again.
"""

import argparse
import csv
import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

from benchmarks.quality import accuracies, done, jsonl, spread, text
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.mlm import MLM
from seqjax.objectives.supervised import Classification
from seqjax.training.environment import keep_memory
from seqjax.training.optimizers import Optimizer


def reviews(into: Path) -> tuple[Source, dict[str, int]]:
    """Returns the splits without what an earlier one holds, and how many reviews each has."""
    seen: set[str] = set()
    specs, counts = [], {}
    for split in ("train", "dev", "test"):
        lines = text("chnsenticorp", f"{split}.tsv.gz").splitlines()
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        kept = [row for row in rows if split == "train" or row["text_a"] not in seen]
        seen |= {row["text_a"] for row in rows}
        records = ({"text": row["text_a"], "label": row["label"]} for row in kept)
        specs.append(jsonl(into / f"{split}.jsonl", records))
        counts[split] = len(kept)
    return Source(*specs), counts


def main() -> None:
    """Trains what is missing; prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--whole-word", action="store_true", help="mask words of several pieces (Latin script) whole")
    parser.add_argument("--into", type=Path, default=Path("runs/chinese"))
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    source, counts = reviews(options.into)
    vocabulary = options.into / "vocab.txt"
    vocabulary.write_text(text("vocab_bert_chinese", "vocab.txt.gz"), encoding="utf-8")
    pretraining = Experiment(
        name="chinese-mlm",
        data=Data(source, tokenizer=f"bert:{vocabulary}", length=128, batch=32),
        model=TransformerConfig(
            layers=4, width=192, heads=4, mlp_width=768, max_length=256, causal=False, positions="rotary",
            dropout=0.0, head_transform=True, head_bias=True,
        ),
        objective=MLM(whole_word=options.whole_word),
        optimizer=Optimizer(name="muon", peak_lr=1e-2, warmup=min(50, options.steps), b2=0.98),
        run=Run(steps=options.steps, log_every=20, eval_every=options.steps, eval_rows=512),
    )  # fmt: skip
    pretrained = options.into / ("mlm-whole-word" if options.whole_word else "mlm")
    done(pretraining, pretrained)
    tuning = dataclasses.replace(
        pretraining,
        name="chinese-sentiment",
        data=dataclasses.replace(pretraining.data, layout="pad"),
        model=dataclasses.replace(pretraining.model, dropout=0.1),
        objective=Classification(pool="mean"),
        optimizer=Optimizer(peak_lr=2e-3, warmup=20),
    )
    result: dict[str, Any] = {"rows": counts, "steps": options.steps, "whole_word": options.whole_word}
    for way, init_from in (("pretrained", str(pretrained)), ("scratch", "")):
        result[way] = accuracies(
            functools.partial(_seeded, tuning, init_from),
            str(options.into / (pretrained.name if init_from else "scratch")),
            options.seeds,
        )
        print(f"{way}: {spread(result[way])}")
    print(json.dumps(result))


def _seeded(tuning: Experiment, init_from: str, seed: int) -> Experiment:
    run = Run(steps=300, log_every=20, eval_every=50, metric="accuracy", direction="max", seed=seed)
    return dataclasses.replace(tuning, run=run, init_from=init_from)


if __name__ == "__main__":
    keep_memory()
    main()
