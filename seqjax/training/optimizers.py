# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""From settings to an optax transformation: clipping, the rule, weight decay and learning rates by parameter path."""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from seqjax import trees
from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.training import schedules
from seqjax.training.step import Averaging
from seqjax.types import Params

MOMENTS = ("float32", "bfloat16")
NO_DECAY = (("(bias|scale)$", 0.0), (".*", 1.0))  # Devlin et al. 2019, published code: not on biases and norms


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Settings of the optimiser; every table of (regex, value) is over parameter paths, the first match counts."""

    name: str = "adamw"  # "adamw", "adam", "lamb", "muon", "sgd", "adafactor" or "schedule_free" (AdamW)
    peak_lr: float = 1e-3
    schedule: str = "linear"  # "constant", "linear", "cosine", "inverse_sqrt", "flat_inverse_sqrt" or "wsd"
    warmup: int = 0  # updates
    end_lr: float = 0.0
    drops: tuple[tuple[int, float], ...] = ()  # (updates, factor): after so many the rate is so many times what it was
    b1: float = 0.9  # also SGD's momentum, and how much of schedule_free's parameters is their average
    b2: float = 0.999
    epsilon: float = 1e-8
    # "float32" or "bfloat16", in which the mean of gradients is kept. The mean of their squares is float32 always: it
    # changes by 1 - b2 = 0.001 of itself, which 8 bits round away.
    moments: str = "float32"
    weight_decay: float = 0.01  # adamw, lamb, muon, schedule_free: decoupled, times the learning rate
    decay: tuple[tuple[str, float], ...] = NO_DECAY  # multiplies weight_decay
    clip: float = 1.0  # global norm of the gradient (0: none)
    freeze: tuple[str, ...] = ()  # regexes: these parameters stay as they are, to the bit
    relative: bool = False  # adafactor: the learning rate is relative to each array's root mean square (section 8)
    ema: float = 0.0  # keep an average of the parameters, which is evaluated and used; 0.999 is common (0: none)
    spike: float = 0.0  # skip an update whose gradient norm exceeds so many times the running median (0: never)
    layer_decay: float = 1.0  # learning rate of a layer relative to the layer above (Howard & Ruder 2018, section 3.2)
    rates: tuple[tuple[str, float], ...] = ()  # (regex, factor): multiplies the learning rate
    unfreeze: int = 0  # gradual unfreezing: the next layer below trains after so many updates more (0: all do at once)

    def __post_init__(self) -> None:
        require_choice(self, "optimizer", {"name": RULES, "schedule": schedules.NAMES, "moments": MOMENTS})
        for name in ("peak_lr", "layer_decay"):
            if not getattr(self, name) > 0.0:
                raise UserError(f"optimizer.{name}={getattr(self, name)} must be above 0")
        for update, factor in self.drops:
            if update < 1 or not factor > 0.0:
                raise UserError(f"optimizer.drops: {update}, {factor} must be an update and a factor above 0")
        for pattern, factor in self.rates:
            if not factor > 0.0:
                raise UserError(f"optimizer.rates: {pattern}, {factor} must be a factor above 0; see optimizer.freeze")
        if self.unfreeze and self.name == "schedule_free":
            raise UserError("optimizer.unfreeze is not for schedule_free, whose average would move what is frozen")
        require(self, "optimizer", ("unfreeze",), 0)
        require(self, "optimizer", ("warmup", "end_lr", "epsilon", "weight_decay", "clip"), 0)
        require(self, "optimizer", ("b1", "b2", "ema"), 0, 1)
        if self.spike and not self.spike > 1.0:
            raise UserError(f"optimizer.spike={self.spike} must be above 1, or 0 for no guard")
        if self.relative and self.name != "adafactor":
            raise UserError(f"optimizer.relative=true is a setting of adafactor, not of {self.name}")
        if self.moments != "float32" and (self.name not in _MOMENTUM or (self.name == "sgd" and not self.b1)):
            raise UserError(
                f"optimizer.moments={self.moments} is for rules that keep a mean of gradients: {', '.join(_MOMENTUM)} "
                "(sgd with optimizer.b1 above 0)"
            )
        if self.name == "schedule_free" and (self.schedule != "constant" or self.ema or not self.b1):
            raise UserError(
                "optimizer.name=schedule_free averages instead of lowering the rate: set optimizer.schedule=constant, "
                "optimizer.ema=0 and optimizer.b1 above 0"
            )


def _adam(config: Optimizer) -> optax.GradientTransformation:
    return optax.scale_by_adam(config.b1, config.b2, config.epsilon, mu_dtype=config.moments)


def _muon(config: Optimizer) -> optax.GradientTransformation:
    """Orthogonalised momentum for the matrices within layers, Adam for all else (Jordan et al. 2024).

    Updates are scaled to Adam's size (Liu et al. 2025, "Muon is scalable", section 2.2), so its learning rates serve.
    """
    last_two = optax.contrib.MuonDimensionNumbers(-2, -1)

    def numbers(updates: Params) -> Any:
        return jax.tree.map(lambda _: last_two, updates)

    def label(params: Params) -> Any:
        path_of = functools.partial(jax.tree_util.keystr, simple=True, separator="/")
        return jax.tree.map_with_path(lambda path, _: "muon" if _MATRIX.search(path_of(path)) else "adam", params)

    muon = optax.chain(
        optax.contrib.scale_by_muon(beta=0.95, mu_dtype=config.moments, weight_dimension_numbers=numbers),
        optax.stateless(lambda updates, _: jax.tree.map(lambda u: 0.2 * max(u.shape[-2:]) ** 0.5 * u, updates)),
    )
    return optax.partition({"muon": muon, "adam": RULES["adam"](config)}, label)


_MATRIX = re.compile(r"/layers?(_\d+)?/.*kernel$")

RULES: dict[str, Callable[[Optimizer], optax.GradientTransformation]] = {
    "adamw": _adam,
    "adam": _adam,
    "lamb": _adam,  # You et al. 2020, algorithm 2; see `build`
    "muon": _muon,
    "sgd": lambda o: optax.trace(o.b1, accumulator_dtype=o.moments) if o.b1 else optax.identity(),
    # Shazeer & Stern 2018, algorithm 4, with the update clipping of section 6; the learning rate is the schedule's.
    "adafactor": lambda o: optax.chain(
        optax.scale_by_factored_rms(),
        optax.clip_by_block_rms(1.0),
        optax.scale_by_param_block_rms() if o.relative else optax.identity(),
    ),
    "schedule_free": lambda o: optax.scale_by_rms(o.b2, o.epsilon, eps_in_sqrt=False, bias_correction=True),
}
_MOMENTUM = ("adamw", "adam", "lamb", "muon", "sgd")  # keep a mean of gradients, which may be of fewer bits
_DECAYED = ("adamw", "lamb", "muon", "schedule_free")


def learning_rate(config: Optimizer, steps: int) -> optax.Schedule:
    """Returns the learning rate as a function of the number of updates already applied."""
    rate = schedules.schedule(config.schedule, config.peak_lr, config.end_lr, config.warmup, steps)
    if not config.drops:
        return rate
    factor = optax.piecewise_constant_schedule(1.0, dict(config.drops))
    return lambda step: rate(step) * factor(step)


def build(config: Optimizer, params: Params, steps: int) -> optax.GradientTransformation:
    """Returns the transformation from gradients to updates.

    Frozen parameters have no optimiser state and no part in the norm that is clipped. With `unfreeze` the head trains
    alone at first (Howard & Ruder 2018, section 3.3, layer by layer); what waits stays as it is, to the bit, while its
    gradients count in the norm and in the optimiser's moments, which are therefore warm when its turn comes.

    Args:
      config: settings.
      params: the parameter tree (arrays or shapes), for its paths.
      steps: updates in all, for the schedule.

    Raises:
      UserError: a rule that matches nothing, or a parameter that no rule covers.
    """
    if config.warmup > steps:
        raise UserError(f"optimizer.warmup={config.warmup} is longer than the whole run, run.steps={steps}")
    chain = [optax.clip_by_global_norm(config.clip)] if config.clip else []
    chain.append(RULES[config.name](config))
    if config.name in _DECAYED and config.weight_decay:
        chain.append(_decay(config.weight_decay, trees.apply_rules(config.decay, params, "optimizer.decay")))
    if config.name == "lamb":
        chain.append(optax.scale_by_trust_ratio())
    if config.layer_decay != 1.0:
        powers = jax.tree.map(lambda depth: config.layer_decay**depth, trees.layer_depths(params))
        chain.append(_multiply(powers))
    if config.rates:
        chain.append(_multiply(trees.apply_rules(config.rates, params, "optimizer.rates")))
    if config.unfreeze:
        chain.append(_unfreeze(config.unfreeze, trees.layer_depths(params)))
    rate = learning_rate(config, steps)
    optimizer = optax.chain(*chain, optax.scale_by_learning_rate(rate))
    if config.name == "schedule_free":  # optax counts updates from 1
        optimizer = optax.contrib.schedule_free(optimizer, lambda count: rate(count - 1), config.b1)
    if not config.freeze:
        return optimizer
    return optax.partition({"trained": optimizer, "frozen": optax.set_to_zero()}, _labels(config, params))


def holding(config: Optimizer) -> Callable[[Params], Params]:
    """Returns the function that lets no gradient into frozen parameters, by which none is computed for them either."""

    def hold(params: Params) -> Params:
        flow = {"trained": lambda leaf: leaf, "frozen": jax.lax.stop_gradient}
        return jax.tree.map(lambda leaf, label: flow[label](leaf), params, _labels(config, params))

    return hold if config.freeze else lambda params: params


def _labels(config: Optimizer, params: Params) -> Any:
    """Returns a tree like `params` of "trained" and "frozen"."""
    rules = [(pattern, "frozen") for pattern in config.freeze] + [(".*", "trained")]
    return trees.apply_rules(rules, params, "optimizer.freeze")


def averaging(config: Optimizer) -> Averaging | None:
    """Returns how the average follows by which the model is judged and used; None where that is the model itself.

    ema: begins as the parameters and takes 1 - ema of each step's, but at least 9 / (10 + step), the warm-up of
    TensorFlow's ExponentialMovingAverage. schedule_free: the x of Defazio et al. 2024, algorithm 1, where the gradient
    is taken at y = (1 - b1) z + b1 x.
    """

    def moving(average: Params, params: Params, opt_state: Any, step: jax.Array) -> Params:
        share = jnp.maximum(1.0 - config.ema, 9.0 / (9.0 + step))
        return jax.tree.map(lambda old, new: old + share * (new - old), average, params)

    def schedule_free(average: Params, params: Params, opt_state: Any, step: jax.Array) -> Params:
        def x(z: Any, y: jax.Array) -> jax.Array:
            return y if isinstance(z, optax.MaskedNode) else (y - (1.0 - config.b1) * z) / config.b1

        frozen_too = functools.partial(jax.tree.map, is_leaf=lambda z: isinstance(z, optax.MaskedNode))
        return frozen_too(x, optax.tree.get(opt_state, "z"), params)

    if config.name == "schedule_free":
        return schedule_free
    return moving if config.ema else None


def _unfreeze(every: int, depths: Params) -> optax.GradientTransformation:
    """Leaves out the updates of what is not trained yet: d layers from the top that is so for d * every updates.

    The top is the last layer where nothing stands above it.
    """
    by_path = trees.flatten(depths)
    top = min(int(np.min(depth)) for depth in by_path.values())

    def update(updates: Any, state: optax.ScaleByScheduleState, params: Any = None) -> tuple[Any, Any]:
        leaves = [
            jnp.where(state.count >= (by_path[path] - top) * every, leaf, jnp.zeros_like(leaf))
            for path, leaf in trees.flatten(updates).items()
        ]
        count = optax.safe_increment(state.count)
        return jax.tree.unflatten(jax.tree.structure(updates), leaves), optax.ScaleByScheduleState(count)

    return optax.GradientTransformation(lambda _: optax.ScaleByScheduleState(jnp.zeros((), jnp.int32)), update)


def _decay(rate: float, multipliers: Params) -> optax.GradientTransformation:
    by_path = trees.flatten(multipliers)
    return _per_leaf(lambda path, update, param: update + rate * by_path[path] * param)


def _multiply(multipliers: Params) -> optax.GradientTransformation:
    by_path = trees.flatten(multipliers)
    return _per_leaf(lambda path, update, param: update * jnp.asarray(by_path[path], update.dtype))


def _per_leaf(function: Callable[[str, jax.Array, jax.Array], jax.Array]) -> optax.GradientTransformation:
    """Applies a function of (path, update, parameter) to each leaf that is there; frozen ones are not."""

    def apply(updates: Any, params: Any) -> Any:
        pairs = zip(trees.flatten(updates).items(), jax.tree.leaves(params), strict=True)
        leaves = [function(path, update, param) for (path, update), param in pairs]
        return jax.tree.unflatten(jax.tree.structure(updates), leaves)

    return optax.stateless(apply)
