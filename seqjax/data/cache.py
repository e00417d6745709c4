# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where prepared data is kept between runs."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """Returns the folder for prepared data: $SEQJAX_CACHE, or else ~/.cache/seqjax. It need not exist yet."""
    named = os.environ.get("SEQJAX_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "seqjax"
