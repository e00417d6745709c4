# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""One update as a pure function. Losses travel as sums; each is divided once, by the weight of the whole batch."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from seqjax.objectives.objective import Objective, Pairs
from seqjax.training.guard import Guard, initial_guard, judge
from seqjax.types import Apply, Batch, Params

Reduce = Callable[[Any], Any]  # sums a tree over devices
Averaging = Callable[[Params, Params, Any, jax.Array], Params]  # (average, params, opt_state, step) -> next average


@flax.struct.dataclass
class State:
    """What an update changes.

    Attributes:
      step: int32 scalar, the number of updates already applied.
      params: the model's parameters.
      opt_state: the optimiser's state.
      average: of the parameters so far, by which the model is judged and used; None without averaging.
      guard: against spikes; None without one.
      carry: what a recurrent model has read in the rows of the batches before, which it goes on from; None elsewhere.
    """

    step: jax.Array
    params: Params
    opt_state: Any
    average: Params | None = None
    guard: Guard | None = None
    carry: Any = None

    @property
    def used(self) -> Params:
        """The parameters that are evaluated and that outlive the run."""
        return self.params if self.average is None else self.average


def initial_state(
    params: Params,
    optimizer: optax.GradientTransformation,
    averaging: Averaging | None = None,
    spike: float = 0.0,
    carry: Any = None,
) -> State:
    """Returns the state before the first update; `averaging` and `spike` are those of `train_step`."""
    average = jax.tree.map(jnp.copy, params) if averaging else None
    guard = initial_guard() if spike else None
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), average, guard, carry)


def train_step(
    state: State,
    batch: Batch,
    key: jax.Array,
    *,
    apply: Apply,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    accumulate: int = 1,
    hold: Callable[[Params], Params] = lambda params: params,
    averaging: Averaging | None = None,
    spike: float = 0.0,
    reduce: Reduce = lambda tree: tree,
) -> tuple[State, Pairs]:
    """Returns the state after one update, and metrics as (sum, weight) over the whole batch.

    The loss is the sum over terms of factor * (sum of the term / its weight in the whole batch). The weights depend on
    data only and are known before anything is differentiated, so micro-batches and devices simply add: however the
    batch is divided, and however ragged it is, the gradient is the same.

    Args:
      state: before the update.
      batch: this device's rows.
      key: of the dropout stream; the step is folded in here.
      apply: the model.
      objective: what to minimise.
      optimizer: how.
      accumulate: micro-batches that the rows are divided into, run one after the other; it divides the rows.
      hold: gives the parameters with no gradient into those that are frozen (see `optimizers.holding`).
      averaging: from the average before, and parameters, optimiser's state and step after, to the average after (see
        `optimizers.averaging`); None: none is kept.
      spike: skip an update whose gradient norm exceeds so many times the running median, see `seqjax.training.guard`;
        parameters, their average and the optimiser's state stay as they are, to the bit; 0: never.
      reduce: sums a tree of arrays over the devices that share the update (nothing by default).
    """
    key = jax.random.fold_in(key, state.step)
    if state.carry is not None:
        batch = {**batch, "carry": state.carry}
    if objective.scheduled:
        batch = {**batch, "updates": jnp.full(len(batch["tokens"]), state.step)}
    grads, pairs, carry = gradients(
        state.params, batch, key,
        apply=apply, objective=objective, accumulate=accumulate, hold=hold, reduce=reduce,
    )  # fmt: skip
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    norm = optax.tree.norm(grads)
    pairs["grad_norm"] = (norm, jnp.ones(()))
    average = None if averaging is None else averaging(state.average, params, opt_state, state.step + 1)
    after = State(state.step + 1, params, opt_state, average, None, carry)
    if state.guard is not None:
        skip, guard = judge(state.guard, norm, spike)
        before = State(state.step + 1, state.params, state.opt_state, state.average, None, carry)
        after = jax.tree.map(lambda old, new: jnp.where(skip, old, new), before, after).replace(guard=guard)
        pairs["skipped"] = (guard.skipped.astype(jnp.float32), jnp.ones(()))
    return after, pairs


def gradients(
    params: Params,
    batch: Batch,
    key: jax.Array | None,
    *,
    apply: Apply,
    objective: Objective,
    accumulate: int = 1,
    hold: Callable[[Params], Params] = lambda params: params,
    reduce: Reduce = lambda tree: tree,
) -> tuple[Params, Pairs, Any]:
    """Returns the gradient of the loss over the whole batch, its terms and metrics as (sum, weight), and the carry.

    No gradient flows into the carry that the batch brings (truncated backpropagation through time); the one returned is
    where the model has come to, None where the batch brings none.
    """
    weights, factors = reduce(objective.weights(batch)), objective.term_weights()

    def loss(params: Params, batch: Batch, key: jax.Array | None) -> tuple[jax.Array, tuple[Pairs, Any]]:
        terms, metrics, carry = _losses(apply, objective, hold(params), batch, key)
        means = {name: value / _divisor(weights[name]) for name, (value, _) in terms.items()}
        total = sum((factors[name] * mean for name, mean in means.items()), jnp.zeros(()))
        return total, ({"loss": (total, jnp.zeros(()))} | terms | metrics, carry)

    differentiate = jax.grad(loss, has_aux=True)
    if accumulate == 1:
        grads, (pairs, carry) = differentiate(params, batch, key)
    else:
        micro_batches = jax.tree.map(lambda x: _split(x, accumulate), dict(batch))

        def add(total: Any, inputs: tuple[jax.Array, Batch]) -> tuple[Any, Any]:
            number, micro_batch = inputs
            micro_key = None if key is None else jax.random.fold_in(key, number)
            grads, (pairs, carry) = differentiate(params, micro_batch, micro_key)
            return jax.tree.map(jnp.add, total, (grads, pairs)), carry

        first = jax.tree.map(lambda x: x[0], micro_batches)
        grads, (pairs, _) = jax.eval_shape(differentiate, params, first, key)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (grads, pairs))
        (grads, pairs), carries = jax.lax.scan(add, zeros, (jnp.arange(accumulate), micro_batches))
        carry = jax.tree.map(_join, carries)
    grads, pairs = reduce((grads, pairs))
    return grads, pairs | {"loss": (pairs["loss"][0], jnp.ones(()))}, carry


def evaluation_step(
    params: Params,
    batch: Batch,
    *,
    apply: Apply,
    objective: Objective,
    reduce: Reduce = lambda tree: tree,
) -> tuple[Pairs, Any]:
    """Returns each loss term and metric of a batch as (sum, weight), without dropout, and the carry as `gradients`."""
    terms, metrics, carry = _losses(apply, objective, params, batch, None)
    return reduce(terms | metrics), carry


def _losses(
    apply: Apply, objective: Objective, params: Params, batch: Batch, key: jax.Array | None
) -> tuple[Pairs, Pairs, Any]:
    """Returns the objective's terms and metrics, and the carry with which its model ended."""
    if "carry" not in batch:
        return *objective.loss(apply, params, batch, key), None
    carries = []

    def remembered(*args: Any, **inputs: Any) -> tuple[Any, Any]:
        out, carry = apply(*args, **inputs)
        carries.append(carry)
        return out, carry

    terms, metrics = objective.loss(remembered, params, batch, key)
    return terms, metrics, carries[-1]


def _divisor(weight: jax.Array) -> jax.Array:
    """A term that nothing in the batch has part in is 0, not 0 / 0."""
    return jnp.where(weight > 0, weight, 1.0)


def _split(x: jax.Array, parts: int) -> jax.Array:
    """[B, ...] -> [parts, B / parts, ...], every `parts`-th row together: rows stay on the device that holds them."""
    return x.reshape(x.shape[0] // parts, parts, *x.shape[1:]).swapaxes(0, 1)


def _join(x: jax.Array) -> jax.Array:
    """The inverse of `_split`."""
    return x.swapaxes(0, 1).reshape(x.shape[0] * x.shape[1], *x.shape[2:])
