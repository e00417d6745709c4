# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""One trunk, four objectives in each update: next token, masked token, sentence order and the role of each word.

Paper:     UniLM (Dong et al. 2019, arXiv:1905.03197), section 2.3: one Transformer that reads one way and both ways
           by its mask; sentence order from ALBERT (Lan et al. 2020, arXiv:1909.11942), section 3.1
Departs:   all objectives are in each batch, UniLM takes turns; the tags are ours
Command:   python launch.py train multitask_small
Data:      words of the standard library of the running Python with their roles; whole files are held out
Hardware:  2 CPU cores
Expected:  no published number
"""

from experiments import quickstart_mlm
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.objectives.clm import CLM
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.supervised import Tagging

BASE = "quickstart_mlm"
HARDWARE = "2 CPU cores"
TASKS = Multitask((CLM(), PairedMLM(relation="order"), Tagging()), (1.0, 1.0, 1.0))


def experiment() -> Experiment:
    """The quickstart's model, reading one way where it says the next token."""
    run = Run(steps=400, log_every=10, eval_every=200, eval_rows=256)
    return _all(quickstart_mlm.experiment(), {"length": 128, "batch": 32}, run)


def tiny() -> Experiment:
    """Seconds anywhere."""
    return _all(quickstart_mlm.tiny(), {}, quickstart_mlm.tiny().run)


def _all(masked: Experiment, sizes: dict[str, int], run: Run) -> Experiment:
    data = {"source": Source(train="stdlib/roles"), "layout": "pad", **sizes}
    model = {"causal": True, "token_types": 2, "dropout": 0.1}
    return derive(masked, name="multitask_small", data=data, model=model, objective=TASKS, run=run)
