# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Character GPT on tiny Shakespeare, the small setting that fits a laptop.

Paper:     nanoGPT (Karpathy 2022), README, "I only have a macbook": 4 layers, 4 heads, width 128, context 64, batch 12,
           2,000 updates, no dropout
Departs:   learning rate 3e-3 to 0 instead of 1e-3 to 1e-4 on a cosine after 100 of warm-up; windows cover the text once
           in an epoch instead of being drawn with replacement
Command:   python launch.py train char_gpt_shakespeare data=text:PATH/input.txt
Data:      1,115,394 characters (Karpathy 2015, char-rnn), the last tenth held out
Hardware:  2 CPU cores, two to four minutes
Expected:  validation loss 1.88 nats per character (published, estimated on a sample of the last tenth)
Observed:  1.792 on the whole last tenth (seed 0); with the published rate (optimizer.peak_lr=1e-3,
           optimizer.end_lr=1e-4) 1.901
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """The published model and budget."""
    return Experiment(
        name="char_gpt_shakespeare",
        data=Data(
            source=Source(train="text:data/tinyshakespeare/input.txt", holdout=0.1),
            tokenizer="chars", length=64, batch=12, eval_batch=128, layout="stream",
        ),
        model=TransformerConfig(
            vocab_size=70, layers=4, width=128, heads=4, mlp_width=512, max_length=64, use_bias=False, dropout=0.0
        ),
        objective=CLM(),
        optimizer=Optimizer(
            peak_lr=3e-3, schedule="cosine", warmup=100, b2=0.99, weight_decay=0.1, clip=1.0
        ),
        run=Run(steps=2000, log_every=20, eval_every=250),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "length": 32, "batch": 8, "limit": 10},
        model={"vocab_size": 0, "layers": 2, "width": 32, "heads": 2, "mlp_width": 64},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )
