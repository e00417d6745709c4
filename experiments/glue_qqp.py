# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Do two questions ask the same? (Quora Question Pairs of GLUE) by a pretrained BERT, fine-tuned.

Paper:     Iyer et al. 2017, "First Quora dataset release: question pairs"; GLUE (Wang et al. 2019,
           arXiv:1804.07461), table 1
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_qqp --run qqp; python launch.py eval
           qqp
Data:      363,846 / 40,430 pairs by TFDS, or with data=glue:DIR from GLUE's folder; test has no public labels
Hardware:  1 x TPU v5e
Expected:  F1 72.1 on the test server with BERT-large (Devlin et al. 2019, table 1)
"""

from experiments import glue_mrpc, sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Three epochs; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="glue_qqp",
        data={
            "source": Source("tfds:glue/qqp", text="question1", pair="question2"),
            "length": 128,
            "buckets": (32, 48, 64, 96),
        },
        optimizer={"warmup": 3410},
        run={"steps": 34_110, "eval_every": 3790},
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(glue_mrpc.tiny(), name="glue_qqp")
