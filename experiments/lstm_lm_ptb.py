# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""LSTM language model of the Penn Treebank, words, the small model of Zaremba et al.

Paper:     Zaremba et al. 2014 (arXiv:1409.2329), section 4.1 and table 1, without regularisation: 2 layers of 200,
           weights uniform in +-0.1, 13 epochs of 20 strips and 20 steps, the state carried on, rate 1 for 4 epochs and
           then halved after each, gradients of norm 5 at most
Departs:   nothing; their loss is a sum over 20 steps and ours a mean, so rate and norm stand here times and over 20
Command:   python launch.py train lstm_lm_ptb --run ptb, where ptb.train.txt, ptb.valid.txt and ptb.test.txt are (or
           with data.source.train=text:FILE and so on); then python launch.py eval ptb --split test --step newest
Data:      the Penn Treebank as Mikolov prepared it: 10,000 words, 929,589 tokens with the ends of lines to train on
Hardware:  2 CPU cores
Expected:  perplexity 114.5 on test and 120.7 on validation, of the model after the last epoch
Observed:  114.34 on test and 119.33 on validation, seed 0 (the best on validation was 117.39, after epoch 6)
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.clm import CLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"
EPOCH = 2324  # updates, of 20 x 20 tokens


def experiment() -> Experiment:
    """4,652,803 parameters, with the 3 ids that the text never has."""
    return Experiment(
        name="lstm_lm_ptb",
        data=Data(
            source=Source("text:ptb.train.txt", "text:ptb.valid.txt", "text:ptb.test.txt", unit="line"),
            tokenizer="words:10000", length=20, batch=20, layout="strips",
        ),
        model=RNNConfig(vocab_size=10_003),
        objective=CLM(),
        optimizer=Optimizer(
            name="sgd", b1=0.0, peak_lr=20.0, schedule="constant", clip=0.25, weight_decay=0.0,
            drops=tuple((epoch * EPOCH, 0.5) for epoch in range(4, 13)),
        ),
        run=Run(steps=13 * EPOCH, log_every=100, eval_every=EPOCH),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "tokenizer": "words:500", "length": 16, "batch": 8, "limit": 10},
        model={"vocab_size": 0, "width": 32},
        optimizer={"drops": ((4, 0.5),)},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
