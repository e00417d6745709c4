# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Reversal of a sequence of letters by a GRU encoder-decoder with attention.

Paper:     Bahdanau et al. 2015 (arXiv:1409.0473), the model
Departs:   the task is ours: letters for words, so that the right answer is known
Command:   python launch.py train reversal_gru_attention --run reversal; python launch.py eval reversal --split test
Data:      made:reversal/20, 50,000 sequences of 1 to 20 letters; none is in two splits
Hardware:  2 CPU cores
Expected:  at least 95 BLEU on the test split
Observed:  100.00 BLEU, every sequence right, some 4 minutes of one CPU core (seed 0)
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """A bidirectional encoder; letters are words of the vocabulary."""
    return Experiment(
        name="reversal_gru_attention",
        data=Data(
            source=Source("made:reversal/20", pair="pair"), tokenizer="words:30", length=21, batch=128, eval_batch=500,
            layout="pad",
        ),
        model=Seq2SeqConfig(cell="gru", width=128, embed_width=32),
        objective=TextToText(bleu="none"),
        optimizer=Optimizer(peak_lr=5e-3, schedule="cosine", warmup=100, weight_decay=0.0),
        run=Run(steps=1500, log_every=50, eval_every=500),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(
        experiment(),
        data={"source": Source("made:reversal/3", pair="pair"), "length": 5, "batch": 8, "eval_batch": 256},
        model={"width": 16, "embed_width": 8},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
