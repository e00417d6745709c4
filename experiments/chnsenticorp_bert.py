# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Is a review in favour? Sentiment in Chinese (ChnSentiCorp) by a pretrained BERT, fine-tuned.

Paper:     Tan and Zhang 2008; fine-tuned as by Cui et al. 2019 (arXiv:1906.08101), section 4.4
Departs:   scored on what does not leak: 338 of the 1,200 reviews of validation and 331 of test stand in train word for
           word (data.source.unseen=false scores them too, as published numbers do)
Command:   python launch.py import CHECKPOINT bert; python launch.py train chnsenticorp_bert --run sentiment, where
           train.tsv, dev.tsv and test.tsv are; python launch.py eval sentiment --split test
Data:      9,600 / 862 / 835 reviews of hotels, laptops and books
Hardware:  2 CPU cores
Expected:  accuracy 95.0 on all of test, leaks included, with BERT-base Chinese (Cui et al. 2019)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Three epochs of 300 updates; as SST-2 otherwise. A character is a token."""
    return derive(
        sst2_bert.experiment(),
        name="chnsenticorp_bert",
        data={
            "source": Source("tsv:train.tsv", "tsv:dev.tsv", "tsv:test.tsv", text="text_a", unseen=True),
            "length": 256,
            "buckets": (64, 96, 128, 192),
        },
        optimizer={"peak_lr": 3e-5, "warmup": 90},
        run={"steps": 900, "eval_every": 150},
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(sst2_bert.tiny(), name="chnsenticorp_bert")
