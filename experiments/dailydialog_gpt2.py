# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The next turn of an everyday dialogue (DailyDialog), given all before it, by a pretrained GPT-2, fine-tuned.

Paper:     the data are of Li et al. 2017 (arXiv:1710.03957); a language model that goes on with a dialogue, as Zhang et
           al. 2020 (arXiv:1911.00536), section 3.1
Departs:   turns stand on lines of their own; the end token stands between the dialogue and its next turn
Command:   python launch.py import CHECKPOINT gpt2; python launch.py train dailydialog_gpt2 --run dialogue, where
           train.json, validation.json and test.json are; python launch.py eval dialogue --split test
Data:      76,052 / 7,069 / 6,740 turns that follow others, of 11,118 / 1,000 / 1,000 dialogues. A dialogue longer
           than its part of the row loses its oldest turns
Hardware:  1 x TPU v5e
Expected:  -
"""

from experiments import e2e_gpt2
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment

BASE = "e2e_gpt2"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Three epochs of 4,753 updates from the run "gpt2"."""
    return derive(
        e2e_gpt2.experiment(),
        name="dailydialog_gpt2",
        data={
            "source": Source("dialogues:train.json", "dialogues:validation.json", "dialogues:test.json"), "length": 640,
            "buckets": (64, 128, 256, 384),
        },
        objective={"ratio": 0.25, "loses": "start", "beams": 1, "references": False},
        run={"steps": 14_259, "eval_every": 4753},
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on reversed texts, from random initialisation."""
    return derive(
        e2e_gpt2.tiny(),
        name="dailydialog_gpt2",
        data={"source": Source("made:reversal/4")},
        objective={"beams": 1, "references": False},
    )
