# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Do two sentences say the same? Paraphrases (MRPC of GLUE) by a pretrained BERT, fine-tuned.

Paper:     Dolan and Brockett 2005; GLUE (Wang et al. 2019, arXiv:1804.07461), table 5
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_mrpc --run mrpc, where
           msr_paraphrase_train.txt and msr_paraphrase_test.txt are; python launch.py eval mrpc --split test
Data:      4,076 pairs, the last 5 % held out for validation, and 1,725 to test; by TFDS with
           data.source.train=tfds:glue/mrpc data.source.test= data.source.text=sentence1 data.source.pair=sentence2
           data.source.label=label
Hardware:  2 CPU cores
Expected:  F1 89.3 with BERT-large (Devlin et al. 2019, table 1)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Three epochs; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="glue_mrpc",
        data={
            "source": Source(
                "tsv:msr_paraphrase_train.txt", test="tsv:msr_paraphrase_test.txt", label="Quality", text="#1 String",
                pair="#2 String",
            ),
            "length": 112, "buckets": (48, 64, 80),
        },
        optimizer={"warmup": 36},
        run={"steps": 360, "eval_every": 120},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(sst2_bert.tiny(), name="glue_mrpc")
