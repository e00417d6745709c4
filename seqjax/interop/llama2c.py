# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The format of llama2.c (Karpathy 2023), version 0: seven int32, then float32 weights, as a Llama of transformers.

Source: github.com/karpathy/llama2.c, export.py (legacy_export) and tokenizer.py (export).
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.tokenizer_engines import SentencePiece
from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError
from seqjax.interop.engine import Tensors
from seqjax.interop.family import Json

_HEADER = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
_PIECE_KINDS = {"normal": 1, "unknown": 2, "control": 3, "byte": 6}
_FIRST_BYTE = 3  # ids 0, 1, 2 are <unk>, <s>, </s>; then come the 256 bytes


def find(path: Path) -> Path | None:
    """Returns the weights of a llama2.c model, where the path is one or a folder that holds one and no config.json."""
    if path.is_file():
        return path if path.suffix == ".bin" else None
    if not path.is_dir() or (path / "config.json").exists():
        return None
    found = [file for file in path.glob("*.bin") if not file.name.startswith(("tok", "pytorch_model"))]
    return found[0] if len(found) == 1 else None


def read(path: Path) -> tuple[Json, Tensors]:
    """Returns config.json and the tensors of a Llama as transformers has them.

    Raises:
      UserError: the file holds something else.
    """
    data = path.read_bytes()
    wrong = UserError(f"{path} is no llama2.c model of version 0, or damaged: its size does not fit its header")
    if len(data) < 28 or (len(data) - 28) % 4:
        raise wrong
    *sizes, vocabulary, length = struct.unpack("<7i", data[:28])
    if (
        min(*sizes, abs(vocabulary), length) < 1
        or sizes[0] % sizes[3]
        or max(*sizes, abs(vocabulary), length) > 1 << 20
    ):
        raise wrong
    json: Json = dict(zip(_HEADER, sizes, strict=True))
    json |= {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": abs(vocabulary),
        "max_position_embeddings": length, "tie_word_embeddings": vocabulary > 0, "rms_norm_eps": 1e-5,
    }  # fmt: skip
    width, hidden, layers, heads, key_heads = sizes
    each = width // heads
    shapes = {
        "tokens": (abs(vocabulary), width), "attention_norm": (layers, width), "q": (layers, heads * each, width),
        "k": (layers, key_heads * each, width), "v": (layers, key_heads * each, width),
        "o": (layers, width, heads * each), "mlp_norm": (layers, width), "gate": (layers, hidden, width),
        "down": (layers, width, hidden), "up": (layers, hidden, width), "norm": (width,),
        "cos": (length, each // 2), "sin": (length, each // 2),
    }  # fmt: skip
    if vocabulary < 0:
        shapes["output"] = (abs(vocabulary), width)
    counts = [int(np.prod(shape, dtype=np.int64)) for shape in shapes.values()]
    if sum(counts) * 4 != len(data) - 28:
        raise wrong
    parts = np.split(np.frombuffer(data, "<f4", offset=28), np.cumsum(counts)[:-1])
    weights = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
    return json, _named(weights, heads, key_heads)


def read_tokenizer(path: Path) -> Tokenizer:
    """Returns the tokenizer of a tok*.bin, as the SentencePiece model that it was made from.

    Raises:
      UserError: the file holds something else.
    """
    data, place = path.read_bytes(), 4
    pieces: list[tuple[bytes, float]] = []
    try:
        while place < len(data):
            score, size = struct.unpack_from("<fi", data, place)
            if not 0 <= size <= len(data) - place - 8:
                raise ValueError
            pieces.append((data[place + 8 : place + 8 + size], score))
            place += 8 + size
        engine = SentencePiece(_model(pieces))
    except (struct.error, ValueError, RuntimeError):
        raise UserError(f"{path} is no tokenizer of llama2.c, or damaged") from None
    return Tokenizer(engine, engine.special())


def _named(weights: dict[str, np.ndarray], heads: int, key_heads: int) -> Tensors:
    tensors = {"model.embed_tokens.weight": weights["tokens"], "model.norm.weight": weights["norm"]}
    if "output" in weights:
        tensors["lm_head.weight"] = weights["output"]
    layer = {
        "attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm", "q": "self_attn.q_proj",
        "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj", "gate": "mlp.gate_proj",
        "up": "mlp.up_proj", "down": "mlp.down_proj",
    }  # fmt: skip
    rotated = {"q": heads, "k": key_heads}
    for ours, theirs in layer.items():
        for i, weight in enumerate(weights[ours]):
            weight = _halves(weight, rotated[ours]) if ours in rotated else weight
            tensors[f"model.layers.{i}.{theirs}.weight"] = weight
    return tensors


def _halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorders each head's outputs: there neighbours are rotated together, in transformers and here i and i + H/2."""
    outputs, inputs = weight.shape
    return weight.reshape(heads, -1, 2, inputs).swapaxes(1, 2).reshape(outputs, inputs)


def _model(pieces: list[tuple[bytes, float]]) -> bytes:
    """Returns the SentencePiece model of these pieces (byte pairs, unknown characters as their bytes)."""
    from sentencepiece import sentencepiece_model_pb2

    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    special = {0: ("<unk>", "unknown"), 1: ("<s>", "control"), 2: ("</s>", "control")}
    for index, (text, score) in enumerate(pieces):
        kind = "byte" if _FIRST_BYTE <= index < _FIRST_BYTE + 256 else "normal"
        name, kind = special.get(index, (text.decode("utf-8").replace(" ", "▁"), kind))
        model.pieces.add(piece=name, score=score, type=_PIECE_KINDS[kind])
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.vocab_size = len(pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.remove_extra_whitespaces = False
    return bytes(model.SerializeToString())
