# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Names in the news (CoNLL-2003, English) by a pretrained BERT, fine-tuned.

Paper:     BERT (Devlin et al. 2019, arXiv:1810.04805), section 5.3: the first piece of each word is classified
Departs:   a sentence is read by itself, not its document; rows are as wide as their sentence needs
Command:   python launch.py import CHECKPOINT bert; python launch.py train conll2003_bert --run ner, where eng.train,
           eng.testa and eng.testb are; python launch.py eval ner --split test
Data:      14,041 / 3,250 / 3,453 sentences; IOB1, converted to IOB2; by TFDS with
           data.source.train=tfds:conll2003 data.source.validation=tfds:conll2003@dev data.source.test=
           data.source.words=tokens data.source.tags=ner
Hardware:  2 CPU cores
Expected:  above 85 F1 of entities on test with all-MiniLM-L6-v2, which does not see case; 92.4 with cased BERT-base
Observed:  86.17 +- 0.47 F1 of entities on test with all-MiniLM-L6-v2 (85.64, 86.51, 86.37; seeds 0, 1, 2); with
           run.metric=accuracy, which chose the last checkpoint of each
"""

from experiments import conll2003_lstm_crf, sst2_bert
from seqjax.config import derive
from seqjax.data.pipeline import Data
from seqjax.experiment import Experiment, Run
from seqjax.objectives.supervised import Tagging
from seqjax.training.optimizers import Optimizer

BASE = "conll2003_lstm_crf"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Three epochs of 439 updates from the run "bert"."""
    return derive(
        sst2_bert.experiment(),
        name="conll2003_bert",
        data=Data(
            source=conll2003_lstm_crf.NEWS, length=160, batch=32, layout="bucket", buckets=(16, 24, 32, 48, 64, 96),
        ),
        objective=Tagging(),
        optimizer=Optimizer(peak_lr=1e-4, warmup=130),
        run=Run(steps=1320, log_every=10, eval_every=440, metric="entity_f1", direction="max"),
    )  # fmt: skip


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data, from random initialisation."""
    return derive(
        sst2_bert.tiny(),
        name="conll2003_bert",
        data={"source": conll2003_lstm_crf.tiny().data.source},
        objective=Tagging(),
        run={"metric": "entity_f1", "direction": "max"},
    )
