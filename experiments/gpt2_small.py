# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""GPT-2 small on C4.

Paper:     Radford et al. 2019, table 2, first row: 12 layers, width 768, context 1024, batch 512. The paper gives no
           schedule; this is GPT-3 small's (Brown et al. 2020, table 2.1 and appendix B): 6e-4 to a tenth on a cosine.
           No dropout: no text is read twice, and the kernels that write no scores out have none
Command:   python launch.py train gpt2_small data=text:/corpus/*.txt
Data:      tfds:c4/en (prepare it with TensorFlow Datasets in array_record format), or files as in the command
Hardware:  32 chips of TPU v5e
Compiled:  for v5e:4x8: 12.46 of 16 GiB a chip (state 1.39, temporaries 11.07); MFU at most 78 %
Expected:  no published number for this data
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.training.optimizers import Optimizer

HARDWARE = "32 x TPU v5e"


def experiment() -> Experiment:
    """124,439,808 parameters in 50,257 ids, as published."""
    return Experiment(
        name="gpt2_small",
        data=Data(source=Source(train="tfds:c4/en"), tokenizer="bpe:50257", length=1024, batch=512, threads=16),
        model=TransformerConfig(vocab_size=50257, dropout=0.0, dtype="bfloat16", scan=True, remat="dots"),
        objective=CLM(),
        optimizer=Optimizer(peak_lr=6e-4, end_lr=6e-5, schedule="cosine", warmup=700, b2=0.95, weight_decay=0.1),
        run=Run(steps=100_000, log_every=50, eval_every=2000, eval_rows=4096),
    )


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
