# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""LSTM language model of English documentation, in the small setting of Zaremba et al.

Paper:     Zaremba et al. 2014 (arXiv:1409.2329), section 4.1, "small": 2 layers of 200, weights uniform in +-0.1
Command:   python launch.py train stdlib_lstm
Data:      the documentation in the standard library of the running Python
Hardware:  2 CPU cores
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.clm import CLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Adam in place of the paper's SGD, packed documents in place of one stream."""
    return Experiment(
        name="stdlib_lstm",
        data=Data(source=Source(train="stdlib/docs"), tokenizer="bpe:4096", length=64, batch=32),
        model=RNNConfig(vocab_size=4096),
        objective=CLM(),
        optimizer=Optimizer(peak_lr=3e-3, warmup=50, weight_decay=0.0, clip=5.0),
        run=Run(steps=800, log_every=20, eval_every=200),
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(
        experiment(),
        data={"tokenizer": "bytes", "length": 32, "batch": 8, "limit": 10},
        model={"vocab_size": 261, "width": 32},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
