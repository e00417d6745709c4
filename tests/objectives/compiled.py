# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Gradients and losses compiled whole: run operation by operation, each of hundreds is compiled by itself."""

import functools

import jax

from seqjax.training.step import gradients


def compiled_gradients(params, batch, key, **settings):
    """(gradient, pairs) of `seqjax.training.step.gradients`, compiled."""
    return jax.jit(functools.partial(gradients, **settings))(params, batch, key)[:2]


def compiled_loss(objective, apply, params, batch):
    """`objective.loss` without dropout, compiled."""
    return jax.jit(lambda params, batch: objective.loss(apply, params, batch, None))(params, batch)
