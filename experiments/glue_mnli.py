# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Does one text follow from another, contradict it, or neither? (MultiNLI of GLUE) by a pretrained BERT, fine-tuned.

Paper:     Williams et al. 2018 (arXiv:1704.05426); GLUE (Wang et al. 2019, arXiv:1804.07461), table 1
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_mnli --run mnli, where GLUE's folder
           glue_data/MNLI is (or with data=glue:DIR); python launch.py eval mnli, which is matched, and with --split
           test, which is mismatched
Data:      392,702 / 9,815 matched / 9,832 mismatched pairs; the labels of the test splits are not public; by TFDS with
           data.source.train=tfds:glue/mnli data.source.validation=tfds:glue/mnli@validation_matched
           data.source.test=tfds:glue/mnli@validation_mismatched data.source.text=premise data.source.pair=hypothesis
Hardware:  1 x TPU v5e
Expected:  accuracy 86.7 matched, 85.9 mismatched with BERT-large (Devlin et al. 2019, table 1)
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
        name="glue_mnli",
        data={
            "source": Source("glue:glue_data/MNLI"),
            "length": 128,
            "buckets": (32, 48, 64, 96),
        },
        optimizer={"warmup": 3680},
        run={"steps": 36_816, "eval_every": 4091},
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(glue_mrpc.tiny(), name="glue_mnli")
