# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""T5-small: span corruption on C4, encoder-decoder.

Paper:     Raffel et al. 2020 (arXiv:1910.10683), sections 3.1 and 3.7: 6 + 6 layers, width 512, length 512, batch 128,
           524,288 updates of Adafactor at 1 / sqrt(max(step, 10,000)) of each array's size
Departs:   the paper's multi-task mixture is left out: this is the unsupervised baseline of section 3.1; a row is one
           window of running text, in which documents end with an end token
Command:   python launch.py train t5_small data=text:/corpus/*.txt
Data:      tfds:c4/en (prepare it with TensorFlow Datasets in array_record format), or files as in the command
Hardware:  16 chips of TPU v5e
Compiled:  for v5e:4x4: 2.83 of 16 GiB a chip (state 0.23, temporaries 2.60); MFU at most 58 %, bound by memory
Expected:  no published number for the pretraining loss
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.span_corruption import SpanCorruption
from seqjax.training.optimizers import Optimizer

HARDWARE = "16 x TPU v5e"


def experiment() -> Experiment:
    """60,506,624 parameters in 32,128 ids, as published."""
    return Experiment(
        name="t5_small",
        data=Data(
            source=Source(train="tfds:c4/en"), tokenizer="unigram:32000", length=512, batch=128, layout="stream",
            threads=16,
        ),
        model=families.t5(dtype="bfloat16", scan=True),
        objective=SpanCorruption(),
        optimizer=Optimizer(
            name="adafactor", relative=True, peak_lr=0.01, schedule="flat_inverse_sqrt", warmup=10_000, clip=0.0
        ),
        run=Run(steps=524_288, log_every=100, eval_every=10_000, eval_rows=4096),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "tokenizer": "bytes", "length": 32, "batch": 8, "limit": 10,
              "threads": 2},
        model={"vocab_size": 0, "layers": 2, "decoder_layers": 2, "width": 32, "heads": 2, "head_width": 16,
               "mlp_width": 64},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
