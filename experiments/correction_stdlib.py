# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Correction of typing mistakes, character by character: a GRU with attention on the embedded data.

Paper:     after Ghosh and Kristensson 2017 (arXiv:1709.06429); the model is that of Bahdanau et al. 2015
Departs:   the mistakes are made: characters left out, doubled, replaced and swapped
Command:   python launch.py train correction_stdlib; with other clean text: data=text:/corpus/*.txt
           data.source.unit=line data.source.noise=0.05
Data:      first sentences of docstrings of the standard library of the running Python; whole files are held out
Hardware:  2 CPU cores
Expected:  no published number
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
    """One character in twenty is wrong; sentences are cut at 96."""
    return Experiment(
        name="correction_stdlib",
        data=Data(
            source=Source("stdlib/summary", text="summary", noise=0.05), tokenizer="bytes", length=96, layout="bucket",
            buckets=(48, 64, 80), places=4096, eval_batch=128,
        ),
        model=Seq2SeqConfig(cell="gru", width=256, embed_width=64, dropout=0.1),
        objective=TextToText(bleu="char"),
        optimizer=Optimizer(peak_lr=2e-3, warmup=50, weight_decay=0.0),
        run=Run(steps=1500, log_every=20, eval_every=300),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(
        experiment(),
        data={"length": 32, "buckets": (16,), "places": 512, "limit": 60},
        model={"width": 16, "embed_width": 8},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
