# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which package is this source from? Classification on quickstart_mlm's model, the third leg of the quickstart.

Paper:    BERT (Devlin et al. 2019, arXiv:1810.04805), section 4.1
Command:  python launch.py train quickstart_package init_from=runs/quickstart_mlm
Data:     passages of the standard library of the running Python; whole files are held out
"""

import dataclasses

from experiments import quickstart_mlm
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.objectives.supervised import Classification
from seqjax.training.optimizers import Optimizer

BASE = "quickstart_mlm"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """The setting of the quickstart; without init_from it is the same model from random initialisation."""
    run = Run(steps=135, log_every=15, eval_every=45, metric="accuracy", direction="max")
    return _classify(quickstart_mlm.experiment(), Optimizer(peak_lr=5e-4, warmup=15), run)


def tiny() -> Experiment:
    """Seconds anywhere."""
    run = Run(steps=6, log_every=2, eval_every=3, metric="accuracy", direction="max")
    return _classify(quickstart_mlm.tiny(), Optimizer(peak_lr=5e-4, warmup=2), run)


def _classify(pretrained: Experiment, optimizer: Optimizer, run: Run) -> Experiment:
    data = dataclasses.replace(pretrained.data, source=Source(train="stdlib/package"), layout="pad")
    model = dataclasses.replace(pretrained.model, dropout=0.1)
    objective = Classification(pool="mean")
    return dataclasses.replace(
        pretrained, name="quickstart_package", data=data, model=model, objective=objective, optimizer=optimizer, run=run
    )
