# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A model as one StableHLO program, weights inside: a process that has nothing of this code, only jax, runs it.

from jax import export
program = export.deserialize(open("model.stablehlo", "rb").read())
logits = program.call(tokens, segments)
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from seqjax.models.model import Model, portable
from seqjax.types import Params

PROGRAM, SIGNATURE = "model.stablehlo", "signature.json"
PLATFORMS = ("cpu", "cuda", "tpu")


def write_program(folder: Path, model: Model, params: Params) -> dict[str, Any]:
    """Writes model.stablehlo and signature.json, which says inputs and outputs, and returns the signature.

    Rows, length and length of the source are free. Inputs: "tokens"; "segments" (0 at padding); "token_types" where the
    model has them; "source" and "source_segments" for an encoder-decoder. The output is "logits", float32.
    """
    config, model = model.trunk.config, portable(model)
    names = {"segments": "segments_BL"}
    if getattr(config, "token_types", 0):
        names["token_types"] = "token_types_BL"
    if getattr(config, "decoder_layers", 0):
        names |= {"source": "source_BS", "source_segments": "source_segments_BS"}
    weights = jax.tree.map(jnp.asarray, params)

    def logits(tokens: jax.Array, *inputs: jax.Array) -> jax.Array:
        named: dict[str, Any] = dict(zip(names.values(), inputs, strict=True))
        return model.apply({"params": weights}, tokens, **named)[0]

    rows, length, source = export.symbolic_shape("batch, length, source_length")
    shapes = [(rows, source if "source" in name else length) for name in ("tokens", *names)]
    arguments = [jax.ShapeDtypeStruct(shape, jnp.int32) for shape in shapes]
    exported = export.export(jax.jit(logits), platforms=PLATFORMS)(*arguments)
    signature = {
        "inputs": [_described(name, aval) for name, aval in zip(("tokens", *names), exported.in_avals, strict=True)],
        "outputs": [_described("logits", aval) for aval in exported.out_avals],
        "platforms": list(PLATFORMS),
        "jax": jax.__version__,
    }
    (folder / PROGRAM).write_bytes(exported.serialize())
    (folder / SIGNATURE).write_text(json.dumps(signature, indent=2) + "\n")
    return signature


def _described(name: str, aval: Any) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else str(size) for size in aval.shape]
    return {"name": name, "shape": shape, "dtype": str(aval.dtype)}
