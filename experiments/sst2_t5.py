# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sentiment of sentences (SST-2), said in words, by a pretrained T5, fine-tuned.

Paper:     Raffel et al. 2020 (arXiv:1910.10683), section 2.4 and appendix D: the answer is "positive" or "negative"
Departs:   batch 32 and rows as wide as they need be, theirs 128 rows of 512; whole sentences only
Command:   python launch.py import CHECKPOINT t5; python launch.py train sst2_t5 --run sst2, where stsa.binary.train,
           .dev and .test are; python launch.py eval sst2 --split test
Data:      6,920 / 872 / 1,821 sentences
Hardware:  1 x TPU v5e
Expected:  accuracy 91.8 on GLUE's test set with T5-small, trained on all tasks first (Raffel et al. 2020, table 14)
"""

from experiments import dialogsum_t5, sst2_bert
from seqjax.config import derive
from seqjax.data.phrased import Phrasing
from seqjax.data.pipeline import Data
from seqjax.experiment import Experiment, Run
from seqjax.objectives.text_to_text import TextToText

BASE = "dialogsum_t5"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Three epochs of 217 updates from the run "t5"; an answer has at most 8 tokens."""
    source = derive(
        sst2_bert.experiment().data.source, task=Phrasing("sst2 sentence: {text}", ("0=negative", "1=positive"))
    )
    return derive(
        dialogsum_t5.experiment(),
        name="sst2_t5",
        data=Data(source=source, length=80, batch=32, layout="bucket", buckets=(24, 32, 48)),
        objective=TextToText(ratio=0.1, judged="class"),
        run=Run(steps=651, log_every=10, eval_every=217),
    )


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data, from random initialisation."""
    return derive(
        dialogsum_t5.tiny(),
        name="sst2_t5",
        data={"source": derive(sst2_bert.tiny().data.source, task=Phrasing("package source: {text}"))},
        objective=TextToText(judged="class"),
    )
