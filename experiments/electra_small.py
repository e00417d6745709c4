# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""ELECTRA-small, replaced token detection on Wikipedia at length 128.

Paper:     Clark et al. 2020 (arXiv:2003.10555), table 6, column Small: 12 layers, width 256, embeddings of 128, a
           generator of a quarter, batch 128, 1,000,000 updates, 5e-4 after 10,000 of warm-up, then on a line to 0
Departs:   no books; a row is one run of text, not two
Command:   python launch.py train electra_small data=text:/corpus/*.txt
Data:      tfds:wikipedia/20220301.en (prepare it with TensorFlow Datasets in array_record format), or files as above
Hardware:  one chip of TPU v5e (the paper: four days of one V100)
Compiled:  for v5e:1x1: 4.78 of 16 GiB (state 0.16, temporaries 4.61); MFU at most 46 %, bound by memory
Expected:  79.9, the mean over GLUE's development sets after fine-tuning (table 1), with books; not yet run here
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.rtd import RTD
from seqjax.training.optimizers import Optimizer

HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """13,483,008 parameters in the discriminator's trunk, as published; with its head and the generator 14,196,731."""
    return Experiment(
        name="electra_small",
        data=Data(
            source=Source(train="tfds:wikipedia/20220301.en"), tokenizer="wordpiece:30522", length=128, batch=128,
            threads=16,
        ),
        model=TransformerConfig(
            vocab_size=30522, layers=12, width=256, heads=4, mlp_width=1024, embed_width=128, max_length=512,
            causal=False, norm="post", norm_epsilon=1e-12, token_types=2, embed_norm=True, activation="gelu",
            scale_residual_init=False, head_transform=True, head_bias=True, dtype="bfloat16", scan=True,
        ),
        objective=RTD(),
        optimizer=Optimizer(peak_lr=5e-4, warmup=10_000, epsilon=1e-6, weight_decay=0.01),
        run=Run(steps=1_000_000, log_every=100, eval_every=10_000, eval_rows=4096),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "tokenizer": "bytes", "length": 32, "batch": 8, "limit": 10,
              "threads": 2},
        model={"vocab_size": 261, "layers": 2, "width": 32, "heads": 4, "mlp_width": 64, "embed_width": 16},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
