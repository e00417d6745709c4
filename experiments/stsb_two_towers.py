# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How alike are two sentences, from 0 to 5? (STS-B) The cosine of two vectors by a pretrained BERT, fine-tuned.

Paper:     Sentence-BERT (Reimers & Gurevych 2019, arXiv:1908.10084), sections 3 and 4.2: mean pooling, squared error
           of the cosine, 4 epochs, batch 16, rate 2e-5 with 10 % warm-up
Command:   python launch.py import CHECKPOINT bert; python launch.py train stsb_two_towers --run towers;
           python launch.py eval towers
Data:      5,749 / 1,500 pairs by TFDS; the labels of the test split are not public in GLUE
Hardware:  2 CPU cores
Expected:  Spearman 84.67 on test with BERT-base (theirs, table 2)
"""

from experiments import glue_stsb
from seqjax.config import derive
from seqjax.experiment import Experiment
from seqjax.objectives.two_towers import CosineRegression

BASE = "glue_stsb"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Four epochs of 360 updates, fewer where two of them bring nothing better."""
    return derive(
        glue_stsb.experiment(),
        name="stsb_two_towers",
        data={"batch": 16},
        objective=CosineRegression(),
        optimizer={"peak_lr": 2e-5, "warmup": 144},
        run={"steps": 1440, "eval_every": 180, "patience": 4},
    )


def tiny() -> Experiment:
    """Seconds anywhere, on made texts."""
    return derive(glue_stsb.tiny(), name="stsb_two_towers", objective=CosineRegression())
