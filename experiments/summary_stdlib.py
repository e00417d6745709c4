# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The first sentence of a docstring, given the function's body: a GRU with attention on the embedded data.

Paper:     after Iyer et al. 2016, "Summarizing Source Code using a Neural Attention Model"; the model is that of
           Bahdanau et al. 2015 (arXiv:1409.0473)
Departs:   the data are ours, the standard library of the running Python
Command:   python launch.py train summary_stdlib
Data:      stdlib/summary; whole files are held out
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
    """Bodies are cut at 128 tokens, summaries at 32."""
    return Experiment(
        name="summary_stdlib",
        data=Data(
            source=Source("stdlib/summary", pair="summary"), tokenizer="bpe:4096", length=128, layout="bucket",
            buckets=(32, 64), places=4096,
        ),
        model=Seq2SeqConfig(cell="gru", width=256, embed_width=128, dropout=0.2),
        objective=TextToText(ratio=0.25, label_smoothing=0.1, beams=4),
        optimizer=Optimizer(peak_lr=2e-3, warmup=50, weight_decay=0.0),
        run=Run(steps=600, log_every=20, eval_every=100),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(
        experiment(),
        data={"tokenizer": "bytes", "length": 32, "buckets": (16,), "places": 512, "eval_batch": 256, "limit": 40},
        model={"width": 16, "embed_width": 8},
        objective={"beams": 2},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
