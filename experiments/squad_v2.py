# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions about Wikipedia of which a third have no answer (SQuAD 2.0), by a pretrained BERT, fine-tuned.

Paper:     BERT (Devlin et al. 2019, arXiv:1810.04805), section 4.3 and table 3: 2 epochs, batch 48, rate 5e-5
Departs:   rows are as wide as their window needs; start and end have their softmax over paragraph and first token only
Command:   python launch.py import CHECKPOINT bert; python launch.py train squad_v2 --run squad_v2, where
           train-v2.0.json and dev-v2.0.json are; python launch.py eval squad_v2
           or with data.source.train=tfds:squad/v2.0 data.source.validation= data.source.text=question
           data.source.pair=context
Data:      130,319 / 11,873 questions; windows of 384 tokens that share 128; the threshold of no answer is tuned on
           validation: `eval` names it, `predict --threshold` takes it
Hardware:  1 x TPU v5e
Expected:  EM 78.7, F1 81.9 on validation with BERT-large
Observed:  EM 49.70 +- 1.30, F1 50.88 +- 0.61 on 4 articles with all-MiniLM-L6-v2 trained on 10 (3,708 questions after
           those with an answer; 3 seeds), where never to answer has 50.71
"""

from experiments import squad
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "squad"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Two epochs from the run "bert"."""
    return derive(
        squad.experiment(),
        name="squad_v2",
        data={"source": Source("squad:train-v2.0.json", "squad:dev-v2.0.json"), "batch": 48},
        objective={"no_answer": True},
        optimizer={"warmup": 550},
        run={"steps": 5500, "eval_every": 1100},
    )


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data, from random initialisation."""
    return derive(
        squad.tiny(), name="squad_v2", data={"source": Source("stdlib/questions_v2")}, objective={"no_answer": True}
    )
