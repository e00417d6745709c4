# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Random keys by name and step, so that a restart needs no key and adding a consumer moves no other stream."""

import zlib

import jax
import numpy as np


def key(seed: int, name: str, step: int | jax.Array = 0) -> jax.Array:
    """Returns the key of stream `name` at `step`: fold_in(fold_in(root, name), step), a typed scalar key."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode())), step)


def generator(seed: int, epoch: int, record: int) -> np.random.Generator:
    """Returns the host's generator for one record of one epoch, independent of hosts, workers and batch size."""
    return np.random.default_rng((seed, epoch, record))
