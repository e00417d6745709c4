# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How far back a model learns from: gradients by distance, and two tasks whose answer lies so many places back.

    python -m benchmarks.gradients [--updates 1500] [--distances 5 10 20 40] [--into benchmarks/figures]

The norm of d h_T / d h_t, the last state by the state `distance` places before (of an LSTM the hidden state and the
memory side by side), is that of models as initialised: an Elman network's falls, or grows, by a factor at each place
(Bengio et al. 1994; Pascanu et al. 2013, section 2). A Transformer hands no state on; its h_t is what its layers begin
with at that place. Then each learns, afresh for each distance, with gradients clipped to a norm of 1 and not: "copy",
to say the row's first symbol at its end; "adding", to say the sum of two marked digits, one at the beginning and one in
the second half (after Hochreiter and Schmidhuber 1997, sections 5.2 and 5.4, with symbols for real numbers). Beside
each accuracy stands the largest norm of a gradient that training met. Tables and a figure; chance is 0.1.
"""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax.models.model import Model, ModelConfig, build, initialise
from seqjax.models.rnn import RNNCarry, RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.training.step import evaluation_step, initial_state, train_step
from seqjax.types import Params

VOCABULARY = 24  # ten digits, ten marked ones, and a filler
FILLER = 20
WIDTH, ROWS, RATE = 32, 32, 3e-3
TEXTS = 8  # over which norms are averaged
TASKS = ("copy", "adding")


def models(length: int) -> dict[str, ModelConfig]:
    """The models, of like width, for rows of `length`."""
    recurrent = functools.partial(
        RNNConfig, vocab_size=max(VOCABULARY, length), layers=1, width=WIDTH, init_scale=WIDTH**-0.5
    )
    return {
        "RNN": recurrent(cell="rnn"),
        "LSTM": recurrent(cell="lstm", forget_bias=1.0),
        "GRU": recurrent(cell="gru"),
        "Transformer": TransformerConfig(
            vocab_size=max(VOCABULARY, length), layers=2, width=WIDTH, heads=4, mlp_width=64, positions="rotary",
            dropout=0.0, tied=False, init_std=0.1,
        ),
    }  # fmt: skip


def norms(config: ModelConfig, length: int) -> np.ndarray:
    """Returns the Frobenius norm of the last state's derivative by the state at each distance, [length].

    The root of its mean square over texts of random digits.
    """
    model = build(config)
    params = initialise(model, jax.random.key(0))
    last = _last_state if isinstance(config, RNNConfig) else _last_place

    def squares(tokens_L: jax.Array) -> jax.Array:
        at_last, nothing = last(model, params, tokens_L)
        jacobian = jax.jacrev(at_last)(nothing)
        return sum(jnp.sum(jnp.square(leaf), axis=(0, *range(2, leaf.ndim))) for leaf in jax.tree.leaves(jacobian))

    tokens_XL = jax.random.randint(jax.random.key(1), (TEXTS, length), 0, 10)
    return np.sqrt(np.mean(jax.jit(jax.vmap(squares))(tokens_XL), axis=0))[::-1]


def _last_state(model: Model, params: Params, tokens_L: jax.Array) -> tuple[Callable[[Any], jax.Array], Any]:
    """Returns a recurrent model's last state as a function of what is added to the state at each place, and nothing."""
    begin = model.initial_carry(1, len(tokens_L))

    def place(carry: RNNCarry, inputs: Any) -> tuple[RNNCarry, None]:
        token, added = inputs
        _, carry = model.apply({"params": params}, token[None, None], carry=carry, method="hidden")
        return carry.replace(layers=jax.tree.map(jnp.add, carry.layers, added)), None

    def at_last(added: Any) -> jax.Array:
        return jax.lax.scan(place, begin, (tokens_L, added))[0].layers[0].h_BD[0]

    return at_last, jax.tree.map(lambda leaf: jnp.zeros((len(tokens_L), *leaf.shape)), begin.layers)


def _last_place(model: Model, params: Params, tokens_L: jax.Array) -> tuple[Callable[[Any], jax.Array], Any]:
    """Returns a Transformer's last state as a function of the embeddings that its layers begin with, and these."""
    table, length = params["trunk"]["tokens"]["embedding"], len(tokens_L)

    def at_last(rows_LD: jax.Array) -> jax.Array:
        # A row of the table for each place: what is read there, and nowhere else.
        trunk = params["trunk"] | {"tokens": {"embedding": table.at[:length].set(rows_LD)}}
        read = jnp.arange(length)[None]
        return model.apply({"params": params | {"trunk": trunk}}, read, method="hidden")[0][0, -1]

    return at_last, table[tokens_L]


def batch(task: str, distance: int, rng: np.random.Generator, rows: int = ROWS) -> dict[str, np.ndarray]:
    """Returns rows of distance + 1 places whose last target alone counts."""
    digits = rng.integers(10, size=(rows, distance + 1))
    if task == "copy":
        tokens = np.full_like(digits, FILLER)
        tokens[:, 0] = answers = digits[:, 0]
    else:
        tokens, half = digits.copy(), distance // 2
        first, second = rng.integers(0, max(1, half // 2), rows), rng.integers(half, distance, rows)
        every = np.arange(rows)
        tokens[every, first] += 10
        tokens[every, second] += 10
        answers = digits[every, first] + digits[every, second]
    weights = np.zeros(digits.shape, np.float32)
    weights[:, -1] = 1.0
    targets = np.where(weights > 0, answers[:, None], 0)
    places = np.broadcast_to(np.arange(distance + 1), digits.shape)
    return {
        "tokens": tokens, "targets": targets, "weights": weights, "segments": np.ones_like(digits), "positions": places,
    }  # fmt: skip


class Learner:
    """A model that is trained afresh for each task; what is compiled for one distance serves both tasks."""

    def __init__(self, config: ModelConfig, clip: bool):
        """Builds it; gradients are clipped to a norm of 1 or not at all."""
        self.model = build(config)
        self.optimizer = optax.chain(optax.clip_by_global_norm(1.0) if clip else optax.identity(), optax.adam(RATE))
        options: dict[str, Any] = {"apply": self.model.apply, "objective": CLM()}
        self.step = jax.jit(functools.partial(train_step, optimizer=self.optimizer, **options), donate_argnums=0)
        self.score = jax.jit(functools.partial(evaluation_step, **options))

    def learn(self, task: str, distance: int, updates: int) -> tuple[float, float]:
        """Returns the accuracy on 512 rows after so many updates of Adam, and the largest norm of a gradient."""
        state = initial_state(initialise(self.model, jax.random.key(0)), self.optimizer)
        rng, key, largest = np.random.default_rng(0), jax.random.key(1), jnp.zeros(())
        for _ in range(updates):
            state, metrics = self.step(state, batch(task, distance, rng), key)
            largest = jnp.maximum(largest, metrics["grad_norm"][0])
        pairs, _ = self.score(state.params, batch(task, distance, np.random.default_rng(1), 512))
        value, weight = pairs["accuracy"]
        return float(value) / float(weight), float(largest)


def main() -> None:
    """Prints the tables and writes the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=1500)
    parser.add_argument("--distances", type=int, nargs="+", default=[5, 10, 20, 40])
    parser.add_argument("--into", type=Path, default=Path("benchmarks/figures"))
    options = parser.parse_args()
    length = max(options.distances) + 1
    lines = {name: norms(config, length) for name, config in models(length).items()}
    print("norm of d h_T / d h_t at initialisation, by distance")
    for name, values in lines.items():
        print(f"{name:12}" + "".join(f"  {distance}: {values[distance]:.2e}" for distance in options.distances))
    print(f"\naccuracy by distance after {options.updates} updates (largest norm of a gradient)")
    scores: dict[tuple[str, str, bool], list[float]] = {}
    for name, config in models(VOCABULARY).items():
        for clip in (True, False):
            learner = Learner(config, clip)
            for task in TASKS:
                row = scores[name, task, clip] = []
                print(f"{name:12}{task:7}{'clipped' if clip else '':8}", end="", flush=True)
                for distance in options.distances:
                    accuracy, largest = learner.learn(task, distance, options.updates)
                    row.append(accuracy)
                    print(f"  {distance}: {accuracy:.3f} ({largest:.1f})", end="", flush=True)
                print()
    options.into.mkdir(parents=True, exist_ok=True)
    draw(lines, scores, options.distances, options.into / "gradients.png")


def draw(
    lines: dict[str, np.ndarray], scores: dict[tuple[str, str, bool], list[float]], distances: list[int], path: Path
) -> None:
    """Writes the figure: norms by distance, and accuracy by distance for each task."""
    from matplotlib.figure import Figure

    image = Figure(figsize=(13, 4), layout="constrained")
    left, *right = image.subplots(1, 3)
    colours = dict(zip(lines, ("#D55E00", "#0072B2", "#009E73", "#CC79A7"), strict=True))
    for name, values in lines.items():
        left.semilogy(range(len(values)), values, color=colours[name], label=name)
    left.set_xlabel("distance")
    left.set_title("norm of d h_T / d h_t, as initialised")
    left.legend()
    for panel, task in zip(right, TASKS, strict=True):
        for (name, which, clip), values in scores.items():
            if which == task:
                panel.plot(distances, values, "o-" if clip else "x--", color=colours[name])
        panel.set_ylim(0.0, 1.02)
        panel.set_xlabel("distance")
        panel.set_title(f"{task}: accuracy (dashed: gradients not clipped)")
    image.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
