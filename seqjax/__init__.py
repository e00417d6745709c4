# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""seqjax: sequence modelling in JAX and Flax, as pure functions.

Arrays carry their axes in their names (`x_BLD`, `q_BLNH`), the same letters as in einsum:

    B batch rows     L length          S source length, keys   D model width
    N heads          H head width      F feed-forward width    V vocabulary
    K labels         P predictions of masked language modelling
"""
