# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Chinese questions, each with its answer in a passage (CMRC 2018), by a pretrained Chinese BERT, fine-tuned.

Paper:     CMRC 2018 (Cui et al. 2019, arXiv:1810.07366); number of Cui et al. 2019 (arXiv:1906.08101), the table of
           CMRC 2018, BERT: 2 epochs, rate 3e-5, length 512
Departs:   batch 32; rows are as wide as their window needs; softmax over passage and first token only
Command:   python launch.py import CHECKPOINT bert; python launch.py train cmrc2018 --run cmrc2018, where
           cmrc2018_train.json and cmrc2018_dev.json are (SQuAD's format); python launch.py eval cmrc2018
Data:      10,142 / 3,219 questions; windows of 512 tokens that share 128; an answer that does not stand at its offset
           is learnt where it occurs nearest
Hardware:  1 x TPU v5e
Expected:  EM 65.5 (mean of ten 64.4), F1 84.5 (84.0) on validation with the Chinese BERT-base
"""

from experiments import squad
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment
from seqjax.models import families

BASE = "squad"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Two epochs from the run "bert"."""
    return derive(
        squad.experiment(),
        name="cmrc2018",
        data={
            "source": Source("squad:cmrc2018_train.json", "squad:cmrc2018_dev.json"), "length": 512,
            "buckets": (256, 384),
        },
        model=families.bert(vocab_size=21128),
        objective={"score": "cmrc2018", "offsets": "find", "answer_length": 100},
        optimizer={"peak_lr": 3e-5, "warmup": 90},
        run={"steps": 900, "eval_every": 180},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data, from random initialisation."""
    return derive(squad.tiny(), name="cmrc2018", objective={"score": "cmrc2018", "offsets": "find"})
