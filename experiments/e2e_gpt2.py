# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Descriptions of restaurants from lists of their attributes (E2E) by a pretrained GPT-2, fine-tuned.

Paper:     the data are of Novikova et al. 2017 (arXiv:1706.09254); GPT-2 on them, all parameters trained: Li and Liang
           2021 (arXiv:2101.00190), table 1
Departs:   the end token stands between attributes and description; linear decay; BLEU by sacrebleu, not by the
           challenge's script
Command:   python launch.py import CHECKPOINT gpt2; python launch.py train e2e_gpt2 --run e2e, where trainset.csv,
           devset.csv and testset_w_refs.csv are; python launch.py eval e2e --split test
Data:      42,061 / 4,672 / 4,693 descriptions; those of the same attributes are references of one answer
Hardware:  1 x TPU v5e
Expected:  - with this model; BLEU 68.2 on test with GPT-2 medium (by the challenge's script)
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.continuation import Continuation
from seqjax.training.optimizers import Optimizer

HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Five epochs of 2,628 updates from the run "gpt2"."""
    return Experiment(
        name="e2e_gpt2",
        data=Data(
            source=Source("csv:trainset.csv", "csv:devset.csv", "csv:testset_w_refs.csv", text="mr", pair="ref"),
            length=192, batch=16, layout="bucket", buckets=(64, 80, 96, 128),
        ),
        model=families.gpt2(),
        objective=Continuation(beams=5, references=True),
        optimizer=Optimizer(peak_lr=5e-5, warmup=500),
        run=Run(steps=13_140, log_every=50, eval_every=2628),
        init_from="gpt2",
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on sums, from random initialisation."""
    return derive(
        experiment(),
        data={"source": Source("made:addition/2"), "tokenizer": "bytes", "length": 24, "buckets": (16,), "batch": 8,
              "limit": 60},
        model=families.gpt2(vocab_size=0, layers=1, width=16, heads=2, mlp_width=32, max_length=24),
        objective={"beams": 2},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
        init_from="",
    )  # fmt: skip
