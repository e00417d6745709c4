# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""DeBERTa-v3-small, replaced token detection with gradient-disentangled embeddings on Wikipedia at length 512.

Paper:     He et al. 2021b (arXiv:2111.09543): the model of their released rtd_small.json, 6 layers of width 768 and a
           generator of 3; trained as in their comparison on Wikipedia and books (section 3.1): batch 2048, 125,000
           updates, 5e-4 after 10,000 of warm-up, then on a line to 0, the discriminator's term 50 times
Departs:   no books; ELECTRA's head on the discriminator; one update trains both models at once. The released model saw
           160 GB of text
Command:   python launch.py train deberta_v3_small data=text:/corpus/*.txt
Data:      tfds:wikipedia/20220301.en (prepare it with TensorFlow Datasets in array_record format), or files as above
Hardware:  64 chips of TPU v5e
Compiled:  for v5e:8x8: 12.92 of 16 GiB a chip (state and batch 2.94, temporaries 9.98); MFU at most 58 %
Expected:  88.3 / 87.7, MNLI matched / mismatched after fine-tuning (released model), on their 160 GB; not yet run here
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.deberta import DebertaConfig
from seqjax.objectives.rtd import RTD
from seqjax.training.optimizers import Optimizer

HARDWARE = "64 x TPU v5e"


def experiment() -> Experiment:
    """141,304,320 parameters in the discriminator's trunk, as published; 263,049,829 with all else."""
    return Experiment(
        name="deberta_v3_small",
        data=Data(
            source=Source(train="tfds:wikipedia/20220301.en"), tokenizer="unigram:128100", length=512, batch=2048,
            threads=16,
        ),
        model=DebertaConfig(
            vocab_size=128_100, layers=6, width=768, heads=12, mlp_width=3072, relative_buckets=256, relative_norm=True,
            share_position_keys=True, key_bias=True, mask_decoder_layers=2, dtype="bfloat16", remat="full",
        ),
        objective=RTD(generator_width=1.0, generator_layers=0.5, sharing="disentangled"),
        optimizer=Optimizer(peak_lr=5e-4, warmup=10_000, epsilon=1e-6, weight_decay=0.01),
        run=Run(steps=125_000, accumulate=2, log_every=100, eval_every=10_000, eval_rows=4096),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/docs"), "tokenizer": "bytes", "length": 32, "batch": 8, "limit": 10,
              "threads": 2},
        model={"vocab_size": 261, "layers": 2, "width": 32, "heads": 2, "mlp_width": 64},
        objective={"generator_layers": 1.0},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
