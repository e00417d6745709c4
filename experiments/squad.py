# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions about Wikipedia, each with its answer in a paragraph (SQuAD 1.1), by a pretrained BERT, fine-tuned.

Paper:     BERT (Devlin et al. 2019, arXiv:1810.04805), section 4.2 and table 2: 3 epochs, batch 32, rate 5e-5
Departs:   rows are as wide as their window needs; start and end have their softmax over paragraph and first token only
Command:   python launch.py import CHECKPOINT bert; python launch.py train squad --run squad, where train-v1.1.json and
           dev-v1.1.json are; python launch.py eval squad
           or with data.source.train=tfds:squad data.source.validation= data.source.text=question
           data.source.pair=context
Data:      87,599 / 10,570 questions; windows of 384 tokens that share 128
Hardware:  1 x TPU v5e
Expected:  EM 80.8, F1 88.5 on validation with BERT-base
Observed:  EM 47.24 +- 0.80, F1 60.58 +- 0.69 on 4 articles with all-MiniLM-L6-v2 trained on 10 (1,721
           questions; 3 seeds)
"""

from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models import families
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.training.optimizers import Optimizer

HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """Three epochs from the run "bert"."""
    return Experiment(
        name="squad",
        data=Data(
            source=Source("squad:train-v1.1.json", "squad:dev-v1.1.json"),
            length=384, overlap=128, batch=32, layout="bucket", buckets=(128, 192, 256),
        ),
        model=families.bert(),
        objective=QuestionAnswering(),
        optimizer=Optimizer(peak_lr=5e-5, warmup=830),
        run=Run(steps=8300, log_every=50, eval_every=1660, metric="f1", direction="max"),
        init_from="bert",
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data, from random initialisation."""
    return derive(
        experiment(),
        data={"source": Source("stdlib/questions"), "tokenizer": "words:500", "length": 48, "overlap": 8,
              "buckets": (32,), "batch": 8, "limit": 60},
        model=families.bert(vocab_size=0, layers=1, width=16, heads=2, mlp_width=32, max_length=64),
        objective={"question_length": 12, "answer_length": 10},
        optimizer={"warmup": 2},
        run=Run(steps=6, log_every=2, eval_every=3, eval_rows=16, metric="f1", direction="max"),
        init_from="",
    )  # fmt: skip
