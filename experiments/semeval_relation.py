# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How do two nominals relate? Nineteen relations (SemEval-2010 task 8) by a pretrained BERT, fine-tuned.

Paper:     Hendrickx et al. 2010; R-BERT (Wu and He 2019, arXiv:1905.08284), section 3.2: the nominals stand between "$"
           and "#", and the head reads the first state and the means of theirs
Departs:   rows are as wide as their sentence needs; rate, batch and warm-up are those of a smaller BERT
Command:   python launch.py import CHECKPOINT bert; python launch.py train semeval_relation --run relation, where
           TRAIN_FILE.TXT and TEST_FILE_FULL.TXT are; python launch.py eval relation --split test
Data:      8,000 sentences, the last 5 % held out for validation, and 2,717 to test
Hardware:  2 CPU cores
Expected:  relation_f1 89.25 with BERT-large (Wu and He 2019, table 1)
Observed:  85.13 +- 0.99 on test with all-MiniLM-L6-v2 (85.04, 84.19, 86.16; seeds 0, 1, 2)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment
from seqjax.objectives.supervised import Classification

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Five epochs; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="semeval_relation",
        data={
            "source": Source("semeval:TRAIN_FILE.TXT", test="semeval:TEST_FILE_FULL.TXT"),
            "length": 96, "buckets": (24, 32, 48),
        },
        objective=Classification(pool="entities"),
        optimizer={"peak_lr": 1e-4, "warmup": 120},
        run={"steps": 1190, "eval_every": 238, "metric": "relation_f1"},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on letters of which two are marked, from random initialisation."""
    return derive(
        sst2_bert.tiny(),
        name="semeval_relation",
        data={"source": Source("made:relation/6"), "limit": 200},
        objective=Classification(pool="entities"),
    )
