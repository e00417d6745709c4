# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements beside what a user would pick instead; each file says its command."""
