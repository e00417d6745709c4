# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Small causal language model of Python source, the second leg of the quickstart.

Paper:     GPT-2 (Radford et al. 2019), in small
Command:   python launch.py train quickstart_clm
Data:      the standard library of the running Python, train files only
Hardware:  2 CPU cores
"""

from experiments import quickstart_mlm
from seqjax.config import derive
from seqjax.experiment import Experiment, Run
from seqjax.objectives.clm import CLM

BASE = "quickstart_mlm"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """The setting of the quickstart: the masked model's, reading one way."""
    return _causal(quickstart_mlm.experiment(), Run(steps=60, log_every=10, eval_every=60, eval_rows=256))


def tiny() -> Experiment:
    """Seconds anywhere."""
    return _causal(quickstart_mlm.tiny(), quickstart_mlm.tiny().run)


def _causal(masked: Experiment, run: Run) -> Experiment:
    model = {"causal": True, "head_transform": False, "head_bias": False}
    return derive(masked, name="quickstart_clm", model=model, objective=CLM(), run=run)
