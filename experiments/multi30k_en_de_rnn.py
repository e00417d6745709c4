# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Translation of image captions, English to German, by a GRU with attention.

Paper:     Bahdanau et al. 2015 (arXiv:1409.0473), the model; data of Elliott et al. 2016 (arXiv:1605.00459)
Departs:   smaller, dropout and label smoothing, one vocabulary of byte pairs for both languages
Command:   python launch.py train multi30k_en_de_rnn --run rnn, where train.en, train.de, val.en, ... are (or with
           data.source.train=parallel:TEXT,PAIR and so on); python launch.py eval rnn --split test
Data:      Multi30k, task 1: 29,000 pairs of raw text; test is test_2016_flickr; cased, scored detokenised (13a)
Hardware:  2 CPU cores
Expected:  no published number for this size
Observed:  34.92 (seed 0), under an hour of one core
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"
CAPTIONS = Source(
    train="parallel:train.en,train.de", validation="parallel:val.en,val.de",
    test="parallel:test_2016_flickr.en,test_2016_flickr.de", pair="pair",
)  # fmt: skip


def experiment() -> Experiment:
    """One layer of 256 each way to read, one to write; a batch holds 2,048 places of the source."""
    return Experiment(
        name="multi30k_en_de_rnn",
        data=Data(
            source=CAPTIONS, tokenizer="bpe:8000", length=48, layout="bucket", buckets=(12, 16, 20, 28), places=2048,
            eval_batch=100,
        ),
        model=Seq2SeqConfig(cell="gru", width=256, embed_width=256, dropout=0.3),
        objective=TextToText(ratio=1.15, label_smoothing=0.1, beams=5),
        optimizer=Optimizer(peak_lr=2e-3, schedule="linear", warmup=200, weight_decay=0.0),
        run=Run(steps=3000, log_every=50, eval_every=500, patience=4),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on made pairs."""
    return derive(
        experiment(),
        data={"source": Source("made:copy/3", pair="pair"), "tokenizer": "words:30", "length": 8, "buckets": (4,),
              "places": 64, "eval_batch": 256},
        model={"width": 16, "embed_width": 8},
        objective={"beams": 2},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
