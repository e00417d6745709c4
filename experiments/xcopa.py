# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What was the cause, or the effect? Two alternatives to a premise (XCOPA, Chinese) by a pretrained BERT, fine-tuned.

Paper:     Ponti et al. 2020 (arXiv:2005.00333); the choice as in BERT (Devlin et al. 2019, section 4.4)
Departs:   theirs is fine-tuned on English (SocialIQA and COPA) and tested across languages; here the 100 questions of
           the language's own validation split are all there is to train on
Command:   python launch.py import CHECKPOINT bert; python launch.py train xcopa --run xcopa, where val.zh.jsonl and
           test.zh.jsonl are; python launch.py eval xcopa --split test. In English, with
           data.source.train=tfds:super_glue/copa data.source.test=
Data:      100 questions, the last 20 held out for validation, and 500 to test
Hardware:  2 CPU cores
Expected:  little above chance, which is 50 %: 80 questions do not teach what causes what
"""

from experiments import sst2_bert
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.objectives.multiple_choice import MultipleChoice

BASE = "sst2_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Ten epochs of 5 updates; as SST-2 otherwise."""
    return derive(
        sst2_bert.experiment(),
        name="xcopa",
        data={
            "source": Source(
                "jsonl:val.zh.jsonl", test="jsonl:test.zh.jsonl", holdout=0.2, text="premise,question",
                choices="choice1,choice2",
            ),
            "length": 128, "buckets": (48, 64, 96), "batch": 16,
        },
        objective=MultipleChoice(pool="mean"),
        optimizer={"warmup": 5},
        run=Run(steps=50, log_every=5, eval_every=10, metric="accuracy", direction="max"),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on made texts: which of two has the same letters?"""
    return derive(
        sst2_bert.tiny(),
        name="xcopa",
        data={"source": Source(train="made:choice/3"), "tokenizer": "chars"},
        objective=MultipleChoice(pool="mean"),
    )
