# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How far back a model learns from: gradients by distance, and two tasks whose answer lies so many places back.

    python -m benchmarks.gradients [--updates 600] [--distances 10 25 50 100] [--into benchmarks/figures]

The norm of d h_T / d x_t, the last state by what was read `distance` places before, is that of models as initialised:
an Elman network's falls, or grows, by a factor at each place (Bengio et al. 1994; Pascanu et al. 2013, section 2). Then
each learns, afresh for each distance, with gradients clipped to a norm of 1 and not: "copy", to say the row's first
symbol at its end; "adding", to say the sum of two marked digits, one at the beginning and one in the second half (after
Hochreiter and Schmidhuber 1997, sections 5.1 and 5.4, with symbols for real numbers). A figure and a table; chance is
0.1.
"""

import argparse
import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax.models.model import Model, ModelConfig, build, initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.training.step import evaluation_step, initial_state, train_step
from seqjax.types import Params

VOCABULARY = 24  # ten digits, ten marked ones, and a filler
FILLER = 20
WIDTH, ROWS = 32, 32


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
    """Returns the Frobenius norm of the last state's derivative by the embedding at each distance, [length]."""
    model = build(config)
    params = initialise(model, jax.random.key(0))
    table = params["trunk"]["tokens"]["embedding"]
    drawn = jnp.take(table, jax.random.randint(jax.random.key(1), (length,), 0, 20), axis=0)

    def last(rows_LE: jax.Array) -> jax.Array:
        # A row of the table for each place: what is read there, and nowhere else.
        trunk = params["trunk"] | {"tokens": {"embedding": table.at[:length].set(rows_LE)}}
        tokens_BL = jnp.arange(length)[None]
        return model.apply({"params": params | {"trunk": trunk}}, tokens_BL, method="hidden")[0][0, -1]

    jacobian_DLE = jax.jit(jax.jacrev(last))(drawn)
    return np.asarray(jnp.sqrt(jnp.sum(jnp.square(jacobian_DLE), axis=(0, 2))))[::-1]


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


def learnt(config: ModelConfig, task: str, distance: int, clip: bool, updates: int) -> float:
    """Returns the accuracy on 512 rows after so many updates of Adam."""
    model, objective = build(config), CLM()
    optimizer = optax.chain(optax.clip_by_global_norm(1.0) if clip else optax.identity(), optax.adam(3e-3))
    step = jax.jit(
        functools.partial(train_step, apply=model.apply, objective=objective, optimizer=optimizer), donate_argnums=0
    )
    state = initial_state(initialise(model, jax.random.key(0)), optimizer)
    rng, key = np.random.default_rng(0), jax.random.key(1)
    for _ in range(updates):
        state, _ = step(state, batch(task, distance, rng), key)
    return _accuracy(model, state.params, batch(task, distance, np.random.default_rng(1), 512))


def _accuracy(model: Model, params: Params, rows: dict[str, np.ndarray]) -> float:
    pairs, _ = evaluation_step(params, rows, apply=model.apply, objective=CLM())
    value, weight = pairs["accuracy"]
    return float(value) / float(weight)


def main() -> None:
    """Prints the tables and writes the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--distances", type=int, nargs="+", default=[10, 25, 50, 100])
    parser.add_argument("--into", type=Path, default=Path("benchmarks/figures"))
    options = parser.parse_args()
    length = max(options.distances) + 1
    lines: dict[str, Any] = {name: norms(config, length) for name, config in models(length).items()}
    print("norm of d h_T / d x_t at initialisation, by distance")
    for name, values in lines.items():
        print(f"{name:12}" + "".join(f"  {distance}: {values[distance]:.2e}" for distance in options.distances))
    scores: dict[tuple[str, str, bool], list[float]] = {}
    for task in ("copy", "adding"):
        for clip in (True, False):
            print(f"\n{task}, {'clipped' if clip else 'not clipped'}: accuracy by distance after {options.updates}")
            for name in models(length):
                row = scores[name, task, clip] = []
                print(f"{name:12}", end="", flush=True)
                for distance in options.distances:
                    row.append(learnt(models(VOCABULARY)[name], task, distance, clip, options.updates))
                    print(f"  {distance}: {row[-1]:.3f}", end="", flush=True)
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
    left.set_title("norm of d h_T / d x_t, as initialised")
    left.legend()
    for panel, task in zip(right, ("copy", "adding"), strict=True):
        for (name, which, clip), values in scores.items():
            if which == task:
                panel.plot(distances, values, "o-" if clip else "x--", color=colours[name])
        panel.set_ylim(0.0, 1.02)
        panel.set_xlabel("distance")
        panel.set_title(f"{task}: accuracy (dashed: gradients not clipped)")
    image.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
