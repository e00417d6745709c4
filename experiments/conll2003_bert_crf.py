# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Names in the news (CoNLL-2003, English) by a pretrained BERT and a linear chain over its tags.

Paper:     Lample et al. 2016 (arXiv:1603.01360), section 2.2, on BERT
Command:   python launch.py import CHECKPOINT bert; python launch.py train conll2003_bert_crf --run ner, where
           eng.train, eng.testa and eng.testb are; python launch.py eval ner --split test
Data:      as conll2003_bert
Hardware:  2 CPU cores
Expected:  as conll2003_bert, or half a point more
Observed:  87.26 +- 0.11 F1 of entities on test with all-MiniLM-L6-v2 (87.23, 87.38, 87.18; seeds 0, 1, 2)
"""

from experiments import conll2003_bert
from seqjax.config import derive
from seqjax.experiment import Experiment
from seqjax.objectives.supervised import Tagging

BASE = "conll2003_bert"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Tags that may not follow each other never do."""
    return derive(conll2003_bert.experiment(), name="conll2003_bert_crf", objective=Tagging(crf=True))


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded data."""
    return derive(conll2003_bert.tiny(), name="conll2003_bert_crf", objective=Tagging(crf=True))
