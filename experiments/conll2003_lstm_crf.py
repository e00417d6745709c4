# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Names in the news (CoNLL-2003, English) by a bidirectional LSTM and a linear chain, nothing pretrained.

Paper:     Lample et al. 2016 (arXiv:1603.01360), section 2 and table 5
Departs:   tags are read at the first piece of each word, where theirs has words and the characters of each
Command:   python launch.py train conll2003_lstm_crf --run ner, where eng.train, eng.testa and eng.testb are;
           python launch.py eval ner --split test
Data:      14,041 / 3,250 / 3,453 sentences; IOB1, converted to IOB2; by TFDS with
           data.source.train=tfds:conll2003 data.source.validation=tfds:conll2003@dev data.source.test=
           data.source.words=tokens data.source.tags=ner
Hardware:  2 CPU cores
Expected:  83.63 F1 of entities on test without pretrained words and characters (table 5)
Observed:  80.23 (seed 0), 16 minutes of one core; with run.metric=accuracy
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.supervised import Tagging
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"
NEWS = Source("conll:eng.train", "conll:eng.testa", "conll:eng.testb", scheme="iob2")


def experiment() -> Experiment:
    """Pieces of 8,000 kinds, two layers of 200 each way."""
    return Experiment(
        name="conll2003_lstm_crf",
        data=Data(
            source=NEWS, tokenizer="bpe:8000", length=160, batch=32, layout="bucket", buckets=(16, 32, 64),
        ),
        model=RNNConfig(cell="lstm", width=200, embed_width=128, bidirectional=True, layers=2, dropout=0.5),
        objective=Tagging(crf=True, dropout=0.5),
        optimizer=Optimizer(peak_lr=2e-3, warmup=100, ema=0.998),
        run=Run(steps=6000, log_every=20, eval_every=440, metric="entity_f1", direction="max", patience=5),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/roles"), "tokenizer": "words:500", "length": 32, "buckets": (16,),
              "batch": 8, "limit": 60},
        model={"width": 8, "embed_width": 8, "layers": 1},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16, metric="entity_f1", direction="max"),
    )  # fmt: skip
