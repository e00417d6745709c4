# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Do two sentences say the same? Paraphrases (MRPC of GLUE), said in words, by a pretrained T5, fine-tuned.

Paper:     Raffel et al. 2020 (arXiv:1910.10683), section 2.4 and appendix D: "equivalent" or "not_equivalent"
Departs:   as sst2_t5
Command:   python launch.py import CHECKPOINT t5; python launch.py train mrpc_t5 --run mrpc, where GLUE's folder
           glue_data/MRPC is (or with data=glue:DIR); python launch.py eval mrpc --split test
Data:      as glue_mrpc
Hardware:  1 x TPU v5e
Expected:  F1 89.7 on GLUE's test set with T5-small, trained on all tasks first (Raffel et al. 2020, table 14)
"""

from experiments import glue_mrpc, sst2_t5
from seqjax.config import derive
from seqjax.data.phrased import Phrasing
from seqjax.experiment import Experiment

BASE = "sst2_t5"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Five epochs of 121 updates (a few fewer where dev_ids.tsv is there)."""
    task = Phrasing("mrpc sentence1: {text} sentence2: {pair}", ("0=not_equivalent", "1=equivalent"))
    source = derive(glue_mrpc.experiment().data.source, task=task)
    return derive(
        sst2_t5.experiment(),
        name="mrpc_t5",
        data={"source": source, "length": 128, "buckets": (64, 80, 96)},
        run={"steps": 605, "eval_every": 121},
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(sst2_t5.tiny(), name="mrpc_t5")
