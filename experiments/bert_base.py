# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""BERT-base, masked language modelling and next sentence prediction on Wikipedia, at length 128 and then 512.

Paper:     Devlin et al. 2019 (arXiv:1810.04805), section 3 and appendix A.2: 12 layers, width 768, batch 256, 1,000,000
           updates, 900,000 of them at length 128; 1e-4 after 10,000 of warm-up, then on a line to 0
Departs:   no books; masks and pairs are drawn anew in each epoch
Command:   python launch.py train bert_base data=text:/corpus/*.txt
Data:      tfds:wikipedia/20220301.en (prepare it with TensorFlow Datasets in array_record format), or files as above
Hardware:  16 chips of TPU v5e
Compiled:  for v5e:4x4: 11.63 of 16 GiB a chip (state 1.23, temporaries 10.40); MFU at most 80 %, bound by memory
Expected:  84.6 / 83.4, MNLI matched / mismatched, test, after fine-tuning (table 1), with books; not yet run here
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.pairs import PairedMLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "16 x TPU v5e"


def experiment() -> Experiment:
    """110,106,428 parameters in 30,522 ids, as published with both heads."""
    return Experiment(
        name="bert_base",
        data=Data(
            source=Source(train="tfds:wikipedia/20220301.en"), tokenizer="wordpiece:30522", length=512, batch=256,
            stages=((900_000, 128, 256),), layout="pad", threads=16,
        ),
        model=TransformerConfig(
            vocab_size=30522, max_length=512, causal=False, norm="post", norm_epsilon=1e-12, token_types=2,
            embed_norm=True, activation="gelu", scale_residual_init=False, head_transform=True, head_bias=True,
            dtype="bfloat16", scan=True,
        ),
        objective=PairedMLM(),
        optimizer=Optimizer(peak_lr=1e-4, warmup=10_000, epsilon=1e-6, weight_decay=0.01),
        run=Run(steps=1_000_000, log_every=100, eval_every=10_000, eval_rows=4096),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "tokenizer": "bytes", "length": 32, "batch": 8,
              "stages": ((3, 16, 8),), "limit": 10, "threads": 2},
        model={"vocab_size": 261, "layers": 2, "width": 32, "heads": 2, "mlp_width": 64},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
