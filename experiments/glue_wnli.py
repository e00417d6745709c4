# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Does a sentence still hold with its pronoun replaced? (WNLI of GLUE) by a pretrained BERT, fine-tuned.

Paper:     Levesque et al. 2012, "The Winograd schema challenge"; GLUE (Wang et al. 2019, arXiv:1804.07461), table 1
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_wnli --run wnli; python launch.py eval
           wnli
Data:      635 / 71 pairs by TFDS, or with data=glue:DIR from GLUE's folder; test has no public labels
Hardware:  2 CPU cores
Expected:  no better than 65.1 on the test server, the commonest class: pairs of the validation split are those of
           train with the other label, so Devlin et al. 2019 left the task out
"""

from experiments import glue_mrpc, sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Three epochs; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="glue_wnli",
        data={
            "source": Source("tfds:glue/wnli", text="sentence1", pair="sentence2"),
            "length": 128,
            "buckets": (48, 64, 96),
        },
        optimizer={"warmup": 6},
        run={"steps": 60, "eval_every": 20},
    )


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(glue_mrpc.tiny(), name="glue_wnli")
