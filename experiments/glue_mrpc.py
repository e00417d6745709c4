# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Do two sentences say the same? Paraphrases (MRPC of GLUE) by a pretrained BERT, fine-tuned.

Paper:     Dolan and Brockett 2005; GLUE (Wang et al. 2019, arXiv:1804.07461), table 5
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_mrpc --run mrpc, where GLUE's folder
           glue_data/MRPC is (or with data=glue:DIR), of train.tsv and dev.tsv, or of msr_paraphrase_train.txt,
           msr_paraphrase_test.txt and dev_ids.tsv; python launch.py eval mrpc --split test
Data:      3,668 / 408 / 1,725 pairs; without dev_ids.tsv the last 5 % of the 4,076 are validation; by TFDS with
           data.source.train=tfds:glue/mrpc data.source.text=sentence1 data.source.pair=sentence2
Hardware:  2 CPU cores
Expected:  F1 89.3 with BERT-large (Devlin et al. 2019, table 1)
Observed:  accuracy 76.97 +- 0.44, F1 83.83 +- 0.35 on test of the original files with all-MiniLM-L6-v2 (seeds 0, 1, 2)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Three epochs of 120 updates (a few fewer where dev_ids.tsv is there); as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="glue_mrpc",
        data={
            "source": Source("glue:glue_data/MRPC"),
            "length": 112, "buckets": (48, 64, 80),
        },
        optimizer={"warmup": 36},
        run={"steps": 360, "eval_every": 120},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on letters: are they the same? From random initialisation."""
    return derive(sst2_bert.tiny(), name="glue_mrpc", data={"source": Source("made:same/6"), "limit": 200})
