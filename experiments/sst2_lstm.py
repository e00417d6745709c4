# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sentiment of sentences (SST-2) by a bidirectional LSTM from scratch.

Paper:     Tai et al. 2015 (arXiv:1503.00075), table 2: bidirectional LSTM, with GloVe vectors and phrases to train on
Departs:   nothing pretrained; whole sentences only
Command:   python launch.py train sst2_lstm --run sst2, where stsa.binary.train, .dev and .test are (or with
           data.source.train=labelled:FILE and so on); python launch.py eval sst2 --split test
Data:      the Stanford Sentiment Treebank, two classes: 6,920 / 872 / 1,821 sentences
Hardware:  2 CPU cores
Expected:  87.5 % on test with GloVe and phrases (paper); from scratch about 80 %
Observed:  81.64 +- 0.63 % on test (seeds 0, 1, 2), a minute of one core each
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.supervised import Classification
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Words, one layer, the mean over both ways."""
    return Experiment(
        name="sst2_lstm",
        data=Data(
            source=Source(
                "labelled:stsa.binary.train", "labelled:stsa.binary.dev", "labelled:stsa.binary.test", pair=""
            ),
            tokenizer="words:15000", length=56, batch=32, layout="bucket", buckets=(12, 20, 32),
        ),
        model=RNNConfig(cell="lstm", width=128, embed_width=128, bidirectional=True, layers=1, dropout=0.5),
        objective=Classification(pool="mean", dropout=0.5),
        optimizer=Optimizer(peak_lr=2e-3, warmup=50, weight_decay=0.01),
        run=Run(steps=1500, log_every=20, eval_every=100, metric="accuracy", direction="max", patience=6),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/package"), "tokenizer": "words:500", "length": 32, "buckets": (16,),
              "batch": 8, "limit": 60},
        model={"width": 16, "embed_width": 16},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
