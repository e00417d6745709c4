# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which function does a sentence describe? Two towers on the embedded data, with quickstart_mlm's model.

Paper:     Karpukhin et al. 2020 (arXiv:2004.04906), section 3.2, negatives from the batch; search of code by
           docstrings after Husain et al. 2019 (arXiv:1909.09436)
Departs:   one encoder for both texts, cosines times 20 (Reimers & Gurevych's library), groups of 32
Command:   python launch.py train quickstart_mlm; python launch.py train search_stdlib; python launch.py eval
           runs/search_stdlib --split test
Data:      stdlib/summary; whole files are held out
Hardware:  2 CPU cores
Expected:  no published number
"""

from experiments import quickstart_mlm
from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.optimizers import Optimizer

BASE = "quickstart_mlm"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Sentence and function have 160 places together; the longer one is cut first."""
    return derive(
        quickstart_mlm.experiment(),
        name="search_stdlib",
        data=Data(
            source=Source("stdlib/summary", text="summary", pair="text"),
            tokenizer="bpe:4096",
            length=160,
            batch=64,
            layout="bucket",
            buckets=(48, 96),
        ),
        objective=InBatchNegatives(group=32),
        optimizer=Optimizer(peak_lr=1e-3, warmup=40),
        run=Run(steps=400, log_every=10, eval_every=100, metric="accuracy", direction="max"),
        init_from="runs/quickstart_mlm",
    )


def tiny() -> Experiment:
    """Seconds anywhere, from random initialisation."""
    return derive(
        experiment(),
        data={"tokenizer": "bytes", "length": 64, "buckets": (32,), "batch": 8, "limit": 40},
        model=quickstart_mlm.tiny().model,
        objective=InBatchNegatives(group=4),
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
        init_from="",
    )
