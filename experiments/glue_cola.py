# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Is it English? Linguistic acceptability (CoLA of GLUE) by a pretrained BERT, fine-tuned.

Paper:     Warstadt et al. 2019 (arXiv:1805.12471); GLUE (Wang et al. 2019, arXiv:1804.07461), table 5
Command:   python launch.py import CHECKPOINT bert; python launch.py train glue_cola --run cola, where GLUE's folder
           glue_data/CoLA is (or with data=glue:DIR); python launch.py eval cola
Data:      8,551 / 1,043 sentences; the labels of the test split are not public; by TFDS
           with data.source.train=tfds:glue/cola data.source.text=sentence
Hardware:  2 CPU cores
Expected:  Matthews correlation 60.5 with BERT-large (Devlin et al. 2019, table 1); a small model is far below
Observed:  28.00 +- 2.11 on validation with all-MiniLM-L6-v2 (26.61, 26.95, 30.43; seeds 0, 1, 2), 5 % of train held
           out to choose the checkpoint on
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
        name="glue_cola",
        data={
            "source": Source("glue:glue_data/CoLA"),
            "length": 48, "buckets": (12, 16, 24),
        },
        run={"steps": 800, "eval_every": 160, "metric": "mcc"},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere."""
    return derive(sst2_bert.tiny(), name="glue_cola", run={"metric": "mcc", "direction": "max"})
