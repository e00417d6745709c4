# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""T5 v1.1 base: gated GELU, untied output layer, no dropout; span corruption on C4 alone.

Paper:     Shazeer 2020 (arXiv:2002.05202), table 1, GEGLU: 524,288 updates of batch 128 without dropout; the shape is
           that of the T5 v1.1 release: C4 only, width 768, 12 + 12 layers, untied output layer
Departs:   as t5_small
Command:   python launch.py train t5_base_v1_1 data=text:/corpus/*.txt
Data:      as t5_small
Hardware:  64 chips of TPU v5e
Compiled:  for v5e:8x8: 4.17 of 16 GiB a chip (state 0.92, temporaries 3.25); MFU at most 39 %, bound by memory
Expected:  log perplexity on held-out C4 1.942 after 65,536 updates, 1.633 after 524,288 (Shazeer 2020, table 1)
"""

from experiments import t5_small
from seqjax.config import derive
from seqjax.experiment import Experiment
from seqjax.models import families

BASE = "t5_small"
HARDWARE = "64 x TPU v5e"


def experiment() -> Experiment:
    """247,577,856 parameters in 32,128 ids, as published."""
    model = families.size("t5_v1_1_base", dtype="bfloat16", scan=True, dropout=0.0)
    return derive(t5_small.experiment(), name="t5_base_v1_1", model=model)


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    model = {"activation": "gelu_tanh", "gated": True, "tied": False, "scale_logits": False, "dropout": 0.0}
    return derive(t5_small.tiny(), name="t5_base_v1_1", model=model)
