# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The Transformer of 2017, base model, English to German on WMT 2014.

Paper:     Vaswani et al. 2017 (arXiv:1706.03762), sections 5.1 to 5.4 and table 3: 6 + 6 layers of width 512, Adam with
           b2 0.98 and epsilon 1e-9, width^-0.5 * min(step^-0.5, step * 4000^-1.5), dropout 0.1, label smoothing 0.1,
           about 25,000 source and 25,000 target tokens a batch, 100,000 updates, beam of 4
Departs:   the vocabulary is a unigram model of 37,000, theirs byte pairs; scores of the beam are divided by length^0.6,
           theirs by ((5 + length) / 6)^0.6; padding counts among a batch's 25,000 source tokens; the average of the
           last 5 checkpoints is `eval --step average:5`
Command:   python launch.py train transformer_base --run base; python launch.py eval base --split test --step average:5
Data:      tfds:wmt14_translate/de-en (prepare it with TensorFlow Datasets in array_record format)
Hardware:  8 chips of TPU v5e
Compiled:  for v5e:2x4: 4.85 of 16 GiB a chip (state 0.71, temporaries 4.15); MFU at most 54 %, bound by memory
Expected:  27.3 BLEU on newstest2014, of tokenised text with split compounds (table 2); not run here
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.optimizers import Optimizer

HARDWARE = "8 x TPU v5e"


def experiment() -> Experiment:
    """One embedding of 37,000 for source, target and output: 63 million parameters."""
    return Experiment(
        name="transformer_base",
        data=Data(
            source=Source("tfds:wmt14_translate/de-en", text="en", pair="de"), tokenizer="unigram:37000", length=128,
            layout="bucket", buckets=(16, 24, 32, 48, 64), places=25_000, eval_batch=64, threads=16,
        ),
        model=families.transformer(dtype="bfloat16", scan=True),
        objective=TextToText(ratio=1.2, label_smoothing=0.1, beams=4, length_penalty=0.6),
        optimizer=Optimizer(
            name="adam", peak_lr=(512 * 4000) ** -0.5, schedule="inverse_sqrt", warmup=4000, b2=0.98, epsilon=1e-9,
            clip=0.0,
        ),
        run=Run(steps=100_000, log_every=100, eval_every=1500, keep=5),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on made pairs."""
    return derive(
        experiment(),
        data={"source": Source("made:copy/3", pair="pair"), "tokenizer": "words:30", "length": 8, "buckets": (4,),
              "places": 64, "eval_batch": 256, "threads": 2},
        model={"vocab_size": 0, "layers": 2, "decoder_layers": 2, "width": 32, "heads": 2, "mlp_width": 64},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
    )  # fmt: skip
