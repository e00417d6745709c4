# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Is a sentence of a review in favour? Sentiment (SST-2 of GLUE, with phrases) by a pretrained BERT, fine-tuned.

Paper:     Socher et al. 2013; GLUE (Wang et al. 2019, arXiv:1804.07461), table 1
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_sst2 --run sst2; python launch.py eval
           sst2
Data:      67,349 / 872 texts by TFDS, or with data=glue:DIR from GLUE's folder; test has no public
           labels. `sst2_bert` has whole sentences only
Hardware:  1 x TPU v5e
Expected:  accuracy 94.9 with BERT-large (Devlin et al. 2019, table 1)
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Three epochs; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="glue_sst2",
        data={"source": Source("tfds:glue/sst2", text="sentence"), "length": 64, "buckets": (16, 24, 32, 48)},
        optimizer={"warmup": 630},
        run={"steps": 6315, "eval_every": 842},
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(sst2_bert.tiny(), name="glue_sst2")
