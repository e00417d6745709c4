# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Models: trunks, heads, and the module that joins them."""
