# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Summaries of dialogues (DialogSum) by a pretrained T5, fine-tuned.

Paper:     the data are of Chen et al. 2021 (arXiv:2105.06762); T5 fine-tuned as Raffel et al. 2020 (arXiv:1910.10683),
           sections 3.1.2 and 3.7: Adafactor at a constant 0.001, beams 4, length penalty 0.6
Departs:   no task prefix before the dialogue; batch 32; the length penalty is an exponent of the length
Command:   python launch.py import CHECKPOINT t5; python launch.py train dialogsum_t5 --run dialogsum, where
           dialogsum.train.jsonl, dialogsum.dev.jsonl and dialogsum.test.jsonl are; python launch.py eval dialogsum
           --split test
Data:      12,460 / 500 / 500 dialogues, of which those of test have three summaries each
Hardware:  1 x TPU v5e
Expected:  -
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.optimizers import Optimizer

HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Five epochs of 389 updates from the run "t5"."""
    return Experiment(
        name="dialogsum_t5",
        data=Data(
            source=Source(
                "jsonl:dialogsum.train.jsonl", "jsonl:dialogsum.dev.jsonl", "jsonl:dialogsum.test.jsonl",
                text="dialogue", pair="summary,summary1,summary2,summary3",
            ),
            length=512, batch=32, layout="bucket", buckets=(128, 192, 256, 384),
        ),
        model=families.t5(),
        objective=TextToText(ratio=0.25, beams=4, length_penalty=0.6, references=True),
        optimizer=Optimizer(name="adafactor", relative=True, peak_lr=1e-3, schedule="constant", clip=0.0),
        run=Run(steps=1945, log_every=20, eval_every=389),
        init_from="t5",
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data, from random initialisation."""
    return derive(
        experiment(),
        data={"source": Source("stdlib/summary", pair="summary"), "tokenizer": "bytes", "length": 32, "buckets": (16,),
              "batch": 8, "eval_batch": 256, "limit": 40},
        model={"vocab_size": 0, "layers": 1, "decoder_layers": 1, "width": 16, "heads": 2, "head_width": 8,
               "mlp_width": 32},
        objective={"beams": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
        init_from="",
    )  # fmt: skip
