# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""RoBERTa-base: masked language modelling alone, dynamic masking, full sentences, large batches.

Paper:     Liu et al. 2019 (arXiv:1907.11692), sections 4 and 5 and table 9: 12 layers, width 768, length 512, batch
           8,192, 500,000 updates, 6e-4 after 24,000 of warm-up, then on a line to 0, b2 0.98, epsilon 1e-6
Departs:   a row is cut from the running text wherever it ends (the paper's FULL-SENTENCES ends rows with a sentence)
Command:   python launch.py train roberta_base data=text:/corpus/*.txt
Data:      tfds:wikipedia/20220301.en (prepare it with TensorFlow Datasets in array_record format), or files as above;
           the paper has 160 GB of text, of which Wikipedia and books are 16
Hardware:  256 chips of TPU v5e
Compiled:  for v5e:16x16: 12.93 of 16 GiB a chip (state 1.39, temporaries 11.54); without
           micro-batches it needs 20.54
Expected:  masked perplexity 3.68 with 16 GB, batch 2,000 and 125,000 updates; 3.77 with 8,000 and 31,000 (table 3)
"""

from experiments import bert_base
from seqjax.config import derive
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.mlm import MLM
from seqjax.training.optimizers import Optimizer

BASE = "bert_base"
HARDWARE = "256 x TPU v5e"


def experiment() -> Experiment:
    """124,697,433 parameters with the masked model's head in 50,265 ids, as published."""
    return derive(
        bert_base.experiment(),
        name="roberta_base",
        data={"tokenizer": "bpe:50265", "length": 512, "batch": 8192, "stages": (), "layout": "stream"},
        model=families.roberta(max_length=512, dtype="bfloat16", scan=True),
        objective=MLM(),
        optimizer=Optimizer(peak_lr=6e-4, warmup=24_000, b2=0.98, epsilon=1e-6, weight_decay=0.01, clip=0.0),
        run=Run(steps=500_000, accumulate=2, log_every=100, eval_every=5_000, eval_rows=4096),
    )


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    small = bert_base.tiny()
    return derive(
        small, name="roberta_base", data={"stages": (), "layout": "stream"}, model={"token_types": 1}, objective=MLM()
    )
