# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Learning rates by step: a linear warm-up from zero, then one of a few shapes."""

from collections.abc import Callable

import jax.numpy as jnp
import optax

Shape = Callable[[float, float, int], optax.Schedule]  # (peak, end, steps after warm-up) -> schedule from step 0


def constant(peak: float, end: float, steps: int) -> optax.Schedule:
    """Stays at the peak."""
    return optax.constant_schedule(peak)


def linear(peak: float, end: float, steps: int) -> optax.Schedule:
    """Falls on a line to the end value (Devlin et al. 2019, appendix A.2)."""
    return optax.linear_schedule(peak, end, steps)


def cosine(peak: float, end: float, steps: int) -> optax.Schedule:
    """Falls on half a cosine to the end value (Loshchilov & Hutter 2017, eq. 5, one cycle)."""
    return optax.cosine_decay_schedule(peak, max(steps, 1), end / peak)


def wsd(peak: float, end: float, steps: int) -> optax.Schedule:
    """Warm-up, stable, decay: stays at the peak, falls on a line over the last tenth (Hu et al. 2024, section 4.2)."""
    decay = max(steps // 10, 1)
    return optax.join_schedules(
        [optax.constant_schedule(peak), optax.linear_schedule(peak, end, decay)], [steps - decay]
    )


SHAPES: dict[str, Shape] = {"constant": constant, "linear": linear, "cosine": cosine, "wsd": wsd}
NAMES = (*SHAPES, "inverse_sqrt", "flat_inverse_sqrt")


def schedule(shape: str, peak: float, end: float, warmup: int, steps: int) -> optax.Schedule:
    """Returns the learning rate as a function of the number of updates already applied.

    Args:
      shape: "constant", "linear", "cosine", "wsd" or "inverse_sqrt" (peak * sqrt(warmup / step), Vaswani et al. 2017,
        eq. 3, with the peak in place of width^-0.5 * warmup^-0.5), or "flat_inverse_sqrt" (the same, at the peak
        from the first update on: Raffel et al. 2020, section 3.1.2).
      peak: highest rate, reached after the warm-up.
      end: the rate after `steps` updates (linear, cosine, wsd).
      warmup: updates over which the rate rises on a line; the first update already has peak / warmup.
      steps: updates in all.
    """
    if shape in ("inverse_sqrt", "flat_inverse_sqrt"):
        start = max(warmup, 1)
        after: optax.Schedule = lambda step: peak * jnp.sqrt(start / (jnp.maximum(step, 0) + start))  # noqa: E731
    else:
        after = SHAPES[shape](peak, end, max(steps - warmup, 1))
    if not warmup:
        return after
    if shape == "flat_inverse_sqrt":
        return optax.join_schedules([optax.constant_schedule(peak), after], [warmup])
    rise = optax.linear_schedule(peak / warmup, peak, warmup - 1) if warmup > 1 else optax.constant_schedule(peak)
    return optax.join_schedules([rise, after], [warmup])
