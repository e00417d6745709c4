# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Does a sentence answer a question? (QNLI of GLUE, made of SQuAD) by a pretrained BERT, fine-tuned.

Paper:     Rajpurkar et al. 2016 (arXiv:1606.05250); GLUE (Wang et al. 2019, arXiv:1804.07461), table 1
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_qnli --run qnli; python launch.py eval
           qnli
Data:      104,743 / 5,463 pairs by TFDS, or with data=glue:DIR from GLUE's folder; test has no public labels
Hardware:  1 x TPU v5e
Expected:  accuracy 92.7 with BERT-large (Devlin et al. 2019, table 1)
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
        name="glue_qnli",
        data={
            "source": Source("tfds:glue/qnli", text="question", pair="sentence"),
            "length": 160,
            "buckets": (48, 64, 96),
        },
        optimizer={"warmup": 980},
        run={"steps": 9820, "eval_every": 1091},
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(glue_mrpc.tiny(), name="glue_qnli")
