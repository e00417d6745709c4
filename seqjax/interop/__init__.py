# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Published checkpoints in and out: one engine, and a table of names for each architecture."""

from seqjax.interop.folders import read
from seqjax.interop.publish import write

__all__ = ["read", "write"]
