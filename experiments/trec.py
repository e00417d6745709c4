# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What does a question ask for? Six classes (TREC-6) by a pretrained BERT, fine-tuned.

Paper:     Li and Roth 2002, "Learning question classifiers"; BERT's fine-tuning (Devlin et al. 2019, section A.3)
Command:   python launch.py import CHECKPOINT bert; python launch.py train trec --run trec, where train_5500.label and
           TREC_10.label are; python launch.py eval trec --split test
Data:      5,452 questions to train on, the last 5 % held out for validation, and 500 to test; in latin-1
Hardware:  2 CPU cores
Expected:  about 97 % on test with all-MiniLM-L6-v2
Observed:  96.07 +- 0.64 % on test with all-MiniLM-L6-v2 (95.80, 96.80, 95.60; seeds 0, 1, 2)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Four epochs, as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="trec",
        data={
            "source": Source(
                "labelled:train_5500.label", test="labelled:TREC_10.label", coarse=":", encoding="latin-1"
            ),
            "length": 48, "buckets": (12, 16, 24),
        },
        run={"steps": 680, "eval_every": 170},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(sst2_bert.tiny(), name="trec")
