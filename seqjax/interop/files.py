# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a published checkpoint: config.json, and tensors as safetensors, in shards, or in Flax's msgpack."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.errors import UserError
from seqjax.interop.engine import Tensors
from seqjax.interop.family import Json

CONFIG, WEIGHTS, INDEX, FLAX = "config.json", "model.safetensors", "model.safetensors.index.json", "flax_model.msgpack"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5")
_CONVERT = "from transformers import AutoModelForPreTraining as M; M.from_pretrained('{0}').save_pretrained('{0}')"


def read_json(path: Path) -> Json:
    """Returns the object in a JSON file.

    Raises:
      UserError: there is none.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"'{path.parent}' holds no {path.name}; give the folder of a published checkpoint") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # of JSON or of UTF-8
        raise UserError(f"{path} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected an object, found {value!r:.40}")
    return value


def read_tensors(folder: Path) -> Tensors:
    """Returns every tensor in a folder under its name in torch, in the type in which it is stored.

    Raises:
      UserError: no file that can be read, a damaged one, or only one that could run code (a pickle).
    """
    if (folder / WEIGHTS).exists():
        return dict(_safetensors(folder / WEIGHTS))
    if (folder / INDEX).exists():
        return _shards(folder)
    if (folder / FLAX).exists():
        return _flax(folder / FLAX)
    if found := [name for name in PICKLES if (folder / name).exists()]:
        raise UserError(
            f"'{folder}' holds only {found[0]}, which is never opened here: such a file can run any code. Where you "
            f'trust it and have torch and transformers: python -c "{_CONVERT.format(folder)}"'
        )
    raise UserError(f"'{folder}' holds no weights: expected {WEIGHTS}, {INDEX} or {FLAX}")


def write_tensors(folder: Path, tensors: Tensors) -> None:
    """Writes model.safetensors."""
    from safetensors.numpy import save_file

    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def _safetensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 it is no dict
                yield name, file.get_tensor(name)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged, or no safetensors file ({error}); fetch it again") from None


def _shards(folder: Path) -> Tensors:
    index = read_json(folder / INDEX).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(name, str) for name in index.values()):
        raise UserError(f"{folder / INDEX} has no 'weight_map' from names to files; fetch it again")
    tensors: Tensors = {}
    for name in dict.fromkeys(index.values()):
        if Path(name).name != name or not (folder / name).is_file():
            raise UserError(f"'{folder}' lacks '{name}', which {INDEX} names; fetch it too")
        tensors |= dict(_safetensors(folder / name))
    if absent := [name for name in index if name not in tensors]:
        raise UserError(f"the shards in '{folder}' lack '{absent[0]}', which {INDEX} names; fetch them again")
    return tensors


def _flax(path: Path) -> Tensors:
    """Reads what the Flax classes of transformers 4 wrote: their kernels are all transposed, GPT-2's too."""
    from flax.serialization import msgpack_restore

    try:
        tree = msgpack_restore(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # msgpack has a dozen ways to say so
        raise UserError(f"{path} is damaged, or no msgpack of Flax ({type(error).__name__}); fetch it again") from None
    tensors: Tensors = {}
    for keys, leaf in _leaves(tree):
        *parents, last = keys
        name = ".".join([*parents, {"kernel": "weight", "embedding": "weight", "scale": "weight"}.get(last, last)])
        tensors[name] = leaf.T if last == "kernel" else leaf
    return tensors


def _leaves(tree: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    if not isinstance(tree, dict):
        yield keys, np.asarray(tree)
        return
    for key, value in tree.items():
        yield from _leaves(value, (*keys, str(key)))
