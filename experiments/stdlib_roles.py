# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is each word of Python source: function, class, call, argument? Tagging with quickstart_mlm's model.

Paper:     BERT (Devlin et al. 2019, arXiv:1810.04805), section 5.3: the first piece of each word is tagged
Command:   python launch.py train stdlib_roles init_from=runs/quickstart_mlm
Data:      the standard library of the running Python, tagged by its own parser; whole files are held out
Hardware:  2 CPU cores
"""

from experiments import quickstart_mlm
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.objectives.supervised import Tagging
from seqjax.training.optimizers import Optimizer

BASE = "quickstart_mlm"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """Two epochs."""
    run = Run(steps=280, log_every=20, eval_every=70, metric="accuracy", direction="max")
    return _tag(quickstart_mlm.experiment(), Optimizer(peak_lr=2e-3, warmup=20, layer_decay=0.8), run)


def tiny() -> Experiment:
    """Seconds anywhere."""
    run = Run(steps=6, log_every=2, eval_every=3, metric="accuracy", direction="max", eval_rows=16)
    return _tag(quickstart_mlm.tiny(), Optimizer(peak_lr=2e-3, warmup=2, layer_decay=0.8), run)


def _tag(pretrained: Experiment, optimizer: Optimizer, run: Run) -> Experiment:
    data = {"source": Source(train="stdlib/roles"), "layout": "bucket", "buckets": (32,), "length": 128, "batch": 16}
    return derive(
        pretrained, name="stdlib_roles", data=data, model={"dropout": 0.1}, objective=Tagging(), optimizer=optimizer,
        run=run,
    )  # fmt: skip
