# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How alike are two sentences, from 0 to 5? (STS-B of GLUE) The number said in words, by a pretrained T5, fine-tuned.

Paper:     Raffel et al. 2020 (arXiv:1910.10683), section 2.4: to the nearest 0.2, "3.8"; appendix D
Departs:   as sst2_t5
Command:   python launch.py import CHECKPOINT t5; python launch.py train stsb_t5 --run stsb; python launch.py eval stsb
Data:      as glue_stsb
Hardware:  1 x TPU v5e
Expected:  Pearson 85.6 on GLUE's test set with T5-small, trained on all tasks first (Raffel et al. 2020, table 14)
"""

from experiments import glue_stsb, sst2_t5
from seqjax.config import derive
from seqjax.data.phrased import Phrasing
from seqjax.experiment import Experiment

BASE = "sst2_t5"
HARDWARE = "1 x TPU v5e"
TASK = Phrasing("stsb sentence1: {text} sentence2: {pair}", step=0.2)


def experiment() -> Experiment:
    """Five epochs of 180 updates."""
    return derive(
        sst2_t5.experiment(),
        name="stsb_t5",
        data={
            "source": derive(glue_stsb.experiment().data.source, task=TASK),
            "length": 128,
            "buckets": (48, 64, 80, 96),
        },
        objective={"judged": "number"},
        run={"steps": 900, "eval_every": 180, "metric": "pearson", "direction": "max"},
    )


def tiny() -> Experiment:
    """Seconds anywhere, on made texts: how many letters have two in common?"""
    return derive(
        sst2_t5.tiny(),
        name="stsb_t5",
        data={"source": derive(glue_stsb.tiny().data.source, task=TASK)},
        objective={"judged": "number"},
        run={"metric": "pearson", "direction": "max"},
    )
