# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How alike are two sentences, from 0 to 5? (STS-B of GLUE) by a pretrained BERT, fine-tuned.

Paper:     Cer et al. 2017 (arXiv:1708.00055); GLUE (Wang et al. 2019, arXiv:1804.07461), table 1
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_stsb --run stsb; python launch.py eval
           stsb
Data:      5,749 / 1,500 pairs by TFDS, or with data=glue:DIR from GLUE's folder; test has no public labels
Hardware:  2 CPU cores
Expected:  Spearman 86.5 on the test server with BERT-large (Devlin et al. 2019, table 1)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment
from seqjax.objectives.regression import Regression

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Three epochs; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="glue_stsb",
        data={
            "source": Source("tfds:glue/stsb", text="sentence1", pair="sentence2"),
            "length": 112,
            "buckets": (24, 32, 48, 64),
        },
        objective=Regression(pool="mean"),
        optimizer={"warmup": 54},
        run={"steps": 540, "eval_every": 180, "metric": "spearman"},
    )


def tiny() -> Experiment:
    """Seconds anywhere, on made texts: how many letters have two in common?"""
    return derive(
        sst2_bert.tiny(),
        name="glue_stsb",
        data={"source": Source(train="made:similarity/8"), "tokenizer": "chars"},
        objective=Regression(pool="mean"),
        run={"metric": "spearman", "direction": "max"},
    )
