# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""DeBERTa-base, masked language modelling with the enhanced mask decoder on Wikipedia at length 512.

Paper:     He et al. 2021 (arXiv:2006.03654), table 8, column base: 12 layers, width 768, batch 2k, 1,000,000 updates,
           2e-4 after 10,000 of warm-up, then on a line to 0; Adam's epsilon 1e-6; section A.8: a mask decoder of two
           layers that share their weights
Departs:   Wikipedia alone (theirs: 78 GB with books, OpenWebText and Stories); single tokens are masked
Command:   python launch.py train deberta_base data=text:/corpus/*.txt
           To fine-tune from it: init_allow="^head/|^trunk/position/", for the decoder's positions serve no other head
Data:      tfds:wikipedia/20220301.en (prepare it with TensorFlow Datasets in array_record format), or files as above
Hardware:  64 chips of TPU v5e (the paper: ten days of 64 V100)
Compiled:  for v5e:8x8: 14.22 of 16 GiB a chip (state and batch 1.56, temporaries 12.66); MFU at most 59 %; without
           micro-batches it needs 17.19
Expected:  88.8 / 88.5, MNLI matched / mismatched after fine-tuning (released model), on their data; not yet run here
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.deberta import DebertaConfig
from seqjax.objectives.mlm import MLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "64 x TPU v5e"


def experiment() -> Experiment:
    """138,601,728 parameters in the trunk without the mask decoder's 512 positions, as published."""
    return Experiment(
        name="deberta_base",
        data=Data(
            source=Source(train="tfds:wikipedia/20220301.en"), tokenizer="bpe:50265", length=512, batch=2048, threads=16
        ),
        model=DebertaConfig(vocab_size=50265, mask_decoder_layers=2, dtype="bfloat16", remat="full"),
        objective=MLM(),
        optimizer=Optimizer(peak_lr=2e-4, warmup=10_000, epsilon=1e-6, weight_decay=0.01),
        run=Run(steps=1_000_000, accumulate=2, log_every=100, eval_every=10_000, eval_rows=4096),
    )


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "tokenizer": "bytes", "length": 32, "batch": 8, "limit": 10,
              "threads": 2},
        model={"vocab_size": 261, "layers": 2, "width": 32, "heads": 2, "mlp_width": 64, "max_length": 32},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
