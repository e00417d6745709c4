# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The README's notebook lines run as they stand."""

import re
from pathlib import Path

import numpy as np

import seqjax


def test_the_readmes_lines_train():
    (block,) = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 20
    names = {}
    exec(block, names)
    losses = [float(loss) for loss in names["losses"]]
    assert len(losses) == 10
    assert losses[-1] < losses[0]
    assert all(np.isfinite(losses))
    assert names["grads"].keys() == names["params"].keys()


def test_every_name_in_the_namespace_is_there():
    for name in dir(seqjax):
        assert getattr(seqjax, name) is not None
