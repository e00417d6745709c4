# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs for quality on real data, each a command that goes on where it was interrupted; data are in SEQJAX_DATA."""

import os
from pathlib import Path


def data(*parts: str) -> Path:
    """Returns a path in the data folder, which the environment variable SEQJAX_DATA names."""
    if "SEQJAX_DATA" not in os.environ:
        raise SystemExit("set SEQJAX_DATA to the folder with the data sets")
    return Path(os.environ["SEQJAX_DATA"]).joinpath(*parts)
