# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Small masked language model of Python source, the first leg of the quickstart.

Paper:     BERT (Devlin et al. 2019, arXiv:1810.04805), dynamic masking (Liu et al. 2019, arXiv:1907.11692), 30 % masked
           (Wettig et al. 2023, arXiv:2202.08005: small models learn faster so); Muon (Liu et al. 2025,
           arXiv:2502.16982), with which they get further in the same time than with AdamW
Command:   python launch.py train quickstart_mlm
Data:      the standard library of the running Python, train files only
Hardware:  2 CPU cores
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.mlm import MLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """The setting of the quickstart."""
    return Experiment(
        name="quickstart_mlm",
        data=Data(source=Source(train="stdlib/code"), tokenizer="bpe:4096", length=64, batch=64),
        model=TransformerConfig(
            vocab_size=4096, layers=2, width=128, heads=2, mlp_width=512, max_length=256, causal=False,
            positions="rotary", dropout=0.0, head_transform=True, head_bias=True,
        ),
        objective=MLM(rate=0.3),
        optimizer=Optimizer(name="muon", peak_lr=1e-2, warmup=50, b2=0.98),
        run=Run(steps=260, log_every=10, eval_every=260, eval_rows=256),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(
        experiment(),
        data={"tokenizer": "bytes", "length": 32, "batch": 8, "limit": 40},
        model={"vocab_size": 261, "layers": 2, "width": 32, "heads": 2, "mlp_width": 64},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
