# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The experiments: one short file for each run."""
