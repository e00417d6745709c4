# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sentiment of sentences (SST-2) by a pretrained BERT, fine-tuned.

Paper:     BERT (Devlin et al. 2019, arXiv:1810.04805), sections 4.1 and A.3: batch 32, 3 epochs, rate 5e-5
Departs:   rows are as wide as their sentence needs, and the head reads the mean of the states; whole sentences only
Command:   python launch.py import CHECKPOINT bert; python launch.py train sst2_bert --run sst2, where
           stsa.binary.train, .dev and .test are; python launch.py eval sst2 --split test
Data:      the Stanford Sentiment Treebank, two classes: 6,920 / 872 / 1,821 sentences
Hardware:  2 CPU cores
Expected:  88.5 % on test with all-MiniLM-L6-v2 (6 layers of 384; the same in PyTorch, one seed); 94.9 % with BERT-large
Observed:  88.60 +- 0.39 % on test with all-MiniLM-L6-v2 (88.96, 88.19, 88.63; seeds 0, 1, 2)
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.supervised import Classification
from seqjax.training.optimizers import Optimizer

HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Three epochs of 217 updates from the run "bert"."""
    return Experiment(
        name="sst2_bert",
        data=Data(
            source=Source("labelled:stsa.binary.train", "labelled:stsa.binary.dev", "labelled:stsa.binary.test"),
            length=64, batch=32, layout="bucket", buckets=(16, 24, 32, 48),
        ),
        model=families.bert(),
        objective=Classification(pool="mean"),
        optimizer=Optimizer(peak_lr=5e-5, warmup=65),
        run=Run(steps=650, log_every=10, eval_every=130, metric="accuracy", direction="max"),
        init_from="bert",
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data, from random initialisation."""
    return derive(
        experiment(),
        data={"source": Source(train="stdlib/package"), "tokenizer": "words:500", "length": 32, "buckets": (16,),
              "batch": 8, "limit": 60},
        model=families.bert(vocab_size=0, layers=1, width=16, heads=2, mlp_width=32, max_length=64),
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16),
        init_from="",
    )  # fmt: skip
