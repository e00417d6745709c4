# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""BERT-base, masked language modelling on Wikipedia at length 128.

Paper:     Devlin et al. 2019 (arXiv:1810.04805), section 3 and appendix A.2, first phase: 12 layers, width 768, batch
           256, 900,000 updates, 1e-4 after 10,000 of warm-up, then on a line to 0
Departs:   no next sentence prediction and no books; masks are drawn anew in each epoch
Command:   python launch.py train bert_base data=text:/corpus/*.txt
Data:      tfds:wikipedia/20220301.en (prepare it with TensorFlow Datasets in array_record format), or files as above
Hardware:  16 chips of TPU v5e
Expected:  no published number without next sentence prediction
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.mlm import MLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "16 x TPU v5e"


def experiment() -> Experiment:
    """109,514,298 parameters in 30,522 ids, as published for the masked model."""
    return Experiment(
        name="bert_base",
        data=Data(
            source=Source(train="tfds:wikipedia/20220301.en"), tokenizer="wordpiece:30522", length=128, batch=256,
            threads=16,
        ),
        model=TransformerConfig(
            vocab_size=30522, max_length=512, causal=False, norm="post", norm_epsilon=1e-12, token_types=2,
            embed_norm=True, activation="gelu", scale_residual_init=False, head_transform=True, head_bias=True,
            dtype="bfloat16", scan=True,
        ),
        objective=MLM(),
        optimizer=Optimizer(peak_lr=1e-4, warmup=10_000, epsilon=1e-6, weight_decay=0.01),
        run=Run(steps=900_000, log_every=100, eval_every=10_000, eval_rows=4096),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "tokenizer": "bytes", "length": 32, "batch": 8, "limit": 10,
              "threads": 2},
        model={"vocab_size": 261, "layers": 2, "width": 32, "heads": 2, "mlp_width": 64},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
