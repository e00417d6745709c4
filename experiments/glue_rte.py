# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Does one text follow from another? Entailment (RTE of GLUE) by a pretrained BERT, fine-tuned.

Paper:     GLUE (Wang et al. 2019, arXiv:1804.07461), table 5
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_rte --run rte, where GLUE's folder
           glue_data/RTE is (or with data=glue:DIR); python launch.py eval rte
Data:      2,490 / 277 pairs; the labels of the test split are not public; by TFDS with
           data.source.train=tfds:glue/rte data.source.text=sentence1 data.source.pair=sentence2
Hardware:  2 CPU cores
Expected:  accuracy 70.1 with BERT-large (Devlin et al. 2019, table 1)
Observed:  58.36 +- 1.27 % on validation with all-MiniLM-L6-v2 (57.04, 58.48, 59.57; seeds 0, 1, 2), 5 % of train held
           out to choose the checkpoint on
"""

from experiments import glue_mrpc, sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Five epochs; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="glue_rte",
        data={
            "source": Source("glue:glue_data/RTE"),
            "length": 160, "buckets": (48, 64, 96),
        },
        optimizer={"warmup": 40},
        run={"steps": 390, "eval_every": 130},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(glue_mrpc.tiny(), name="glue_rte")
