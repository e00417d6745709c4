# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How do two nominals relate? Nineteen relations (SemEval-2010 task 8) by a pretrained BERT, fine-tuned.

Paper:     Hendrickx et al. 2010; Wu and He 2019 (arXiv:1905.08284), section 3.2: the nominals between "$" and "#"
Departs:   the head reads the mean of all states, theirs those of the nominals too
Command:   python launch.py import CHECKPOINT bert; python launch.py train semeval_relation --run relation, where
           TRAIN_FILE.TXT and TEST_FILE_FULL.TXT are; python launch.py eval relation --split test
Data:      8,000 sentences, the last 5 % held out for validation, and 2,717 to test
Hardware:  2 CPU cores
Expected:  relation_f1 87.98 with BERT-large and markers alone (Wu and He 2019, table 2)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

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
        optimizer={"peak_lr": 1e-4, "warmup": 120},
        run={"steps": 1190, "eval_every": 238, "metric": "relation_f1"},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(sst2_bert.tiny(), name="semeval_relation")
