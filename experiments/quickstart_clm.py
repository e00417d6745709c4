# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Small causal language model of Python source, the second leg of the quickstart.

Paper:    GPT-2 (Radford et al. 2019), in small
Command:  python launch.py train quickstart_clm
Data:     the standard library of the running Python, train files only
"""

import dataclasses

from experiments import quickstart_mlm
from seqjax.experiment import Experiment, Run
from seqjax.objectives.clm import CLM

BASE = "quickstart_mlm"
HARDWARE = "2 CPU cores"


def experiment() -> Experiment:
    """The setting of the quickstart: the masked model's, reading one way."""
    return _causal(quickstart_mlm.experiment(), Run(steps=250, log_every=20, eval_every=250))


def tiny() -> Experiment:
    """Seconds anywhere."""
    return _causal(quickstart_mlm.tiny(), quickstart_mlm.tiny().run)


def _causal(masked: Experiment, run: Run) -> Experiment:
    return dataclasses.replace(
        masked,
        name="quickstart_clm",
        model=dataclasses.replace(masked.model, causal=True, head_transform=False, head_bias=False),
        objective=CLM(),
        run=run,
    )
