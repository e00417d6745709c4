# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which package is this source from? Classification with quickstart_mlm's model, the third leg of the quickstart.

Paper:     BERT (Devlin et al. 2019, arXiv:1810.04805), section 4.1
Command:   python launch.py train quickstart_package init_from=runs/quickstart_mlm
           (without init_from it is the same model from random initialisation)
Data:      passages of the standard library of the running Python; whole files are held out
Hardware:  2 CPU cores
"""

from experiments import quickstart_mlm
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.objectives.supervised import Classification
from seqjax.training.optimizers import Optimizer

BASE = "quickstart_mlm"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """The setting of the quickstart."""
    run = Run(steps=160, log_every=10, eval_every=40, metric="accuracy", direction="max")
    return _classify(quickstart_mlm.experiment(), Optimizer(peak_lr=3e-3, warmup=20), run)


def tiny() -> Experiment:
    """Seconds anywhere."""
    run = Run(steps=6, log_every=2, eval_every=3, metric="accuracy", direction="max")
    return _classify(quickstart_mlm.tiny(), Optimizer(peak_lr=3e-3, warmup=2), run)


def _classify(pretrained: Experiment, optimizer: Optimizer, run: Run) -> Experiment:
    return derive(
        pretrained,
        name="quickstart_package",
        data={"source": Source(train="stdlib/package"), "layout": "pad", "batch": 32},
        model={"dropout": 0.1},
        objective=Classification(pool="mean"),
        optimizer=optimizer,
        run=run,
    )
