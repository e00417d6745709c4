# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Small masked language model of Python source, the first leg of the quickstart.

Paper:    BERT (Devlin et al. 2019, arXiv:1810.04805) with dynamic masking (Liu et al. 2019, arXiv:1907.11692)
Command:  python launch.py train quickstart_mlm
Data:     the standard library of the running Python, train files only
"""

import dataclasses

from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer import TransformerConfig
from seqjax.objectives.mlm import MLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """The setting of the quickstart."""
    return Experiment(
        name="quickstart_mlm",
        data=Data(source=Source(train="stdlib/code"), tokenizer="bpe:4096", length=128, batch=32),
        model=TransformerConfig(
            vocab_size=4096, layers=3, width=128, heads=4, mlp_width=512, max_length=256, causal=False, norm="pre", dropout=0.0,
            positions="rotary", head_transform=True, head_bias=True,
        ),
        objective=MLM(),
        optimizer=Optimizer(peak_lr=2e-3, schedule="linear", warmup=50, b2=0.98, weight_decay=0.01),
        run=Run(steps=600, log_every=20, eval_every=300, eval_rows=256),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    full = experiment()
    return dataclasses.replace(
        full,
        data=dataclasses.replace(full.data, tokenizer="bytes", length=32, batch=8, limit=40),
        model=dataclasses.replace(full.model, vocab_size=261, layers=2, width=32, heads=2, mlp_width=64),
        optimizer=dataclasses.replace(full.optimizer, warmup=2),
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
