# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Translation of image captions, English to German, by a small Transformer: 4 + 4 layers of width 128.

Paper:     Wu et al. 2021 (arXiv:2105.14462), section 4.1, "Tiny": 4 layers, width 128, 4 heads, 256 within the
           feed-forward network, dropout 0.3, label smoothing 0.1, 4,096 tokens a batch, rate 0.005 after 2,000 updates
           of warm-up, then by the inverse square root
Departs:   norms come first; one vocabulary of 8,000 byte pairs of raw text, theirs 10,000 of tokenised text
Command:   python launch.py train multi30k_en_de_transformer_tiny --run tiny, where train.en, train.de, val.en, ... are
           (or with data.source.train=parallel:TEXT,PAIR and so on); python launch.py eval tiny --split test
Data:      Multi30k, task 1: 29,000 pairs of raw text; test is test_2016_flickr; cased, scored detokenised (13a)
Hardware:  2 CPU cores
Expected:  41 BLEU, of lower-cased tokenised text (theirs, text only)
Observed:  37.39 after 3,000 updates in bfloat16, on a line to 0 after 500 of warm-up (seed 0): an hour of one core
"""

from experiments import multi30k_en_de_rnn
from seqjax.config import derive
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.optimizers import Optimizer

BASE = "multi30k_en_de_rnn"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """One embedding for source, target and output."""
    model = families.transformer(
        vocab_size=0,
        layers=4,
        decoder_layers=4,
        width=128,
        heads=4,
        mlp_width=256,
        dropout=0.3,
        norm="pre",
        init_std=128**-0.5,
    )
    return derive(
        multi30k_en_de_rnn.experiment(), name="multi30k_en_de_transformer_tiny", model=model, data={"places": 4096},
        objective=TextToText(ratio=1.15, label_smoothing=0.1, beams=5),
        optimizer=Optimizer(
            peak_lr=5e-3, schedule="inverse_sqrt", warmup=2000, b2=0.98, weight_decay=0.0, clip=0.0, ema=0.995
        ),
        run=Run(steps=8000, log_every=50, eval_every=500, patience=10),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on made pairs."""
    return derive(
        multi30k_en_de_rnn.tiny(), name="multi30k_en_de_transformer_tiny",
        model=derive(experiment().model, layers=1, decoder_layers=1, width=16, heads=2, mlp_width=32),
    )  # fmt: skip
