# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""(settings, parameters, tokenizer) -> a folder that `transformers` reads."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from seqjax import trees
from seqjax.config import unknown
from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError
from seqjax.interop import engine, files, texts
from seqjax.interop.engine import Tensors
from seqjax.interop.family import Family
from seqjax.interop.folders import FAMILIES, head_names
from seqjax.models.rnn import RNNConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.types import Params

# Settings that say nothing of what a trained model computes.
TRAINING = ("dropout", "inner_dropout", "init_std", "scale_residual_init", "dtype", "scan", "remat", "attention_kernel")


def write(path: str | Path, config: Any, params: Params, tokenizer: Tokenizer | None, family: str = "") -> str:
    """Writes config.json, model.safetensors and the tokenizer into a new folder, and returns the class they are of.

    `transformers` reads the folder, and so does `read`. Parameters without a head become those of a trunk (BertModel).

    Args:
      path: a folder that does not exist or is empty.
      config: settings.
      params: parameters, in the layout that `config.scan` says.
      tokenizer: None to write none.
      family: "bert", "gpt2", ...: by default the first that has these settings.

    Raises:
      UserError: settings or parameters that no published architecture has, or a folder that cannot be written.
    """
    if isinstance(config, RNNConfig | Seq2SeqConfig):
        raise UserError("only Transformers have a published format; export this model as stablehlo")
    plain = trees.unstack_layers(params) if getattr(config, "scan", False) else params
    chosen, tensors = _fitting(config, plain, family)
    headless = "head" not in plain and bool(head_names(chosen, config))
    name = chosen.trunk if headless else chosen.heads[0]
    if headless:
        tensors = {key.removeprefix(chosen.prefix): tensor for key, tensor in tensors.items()}
    special = {key: value for key, value in texts.special_ids(tokenizer).items() if value is not None}
    own = chosen.json(config)
    if chosen.name == "roberta":
        special.pop("pad_token_id", None)  # positions begin after it
    settings_json = {"model_type": chosen.name, "architectures": [name], "dtype": "float32"} | own | special
    folder = new_folder(path)
    if tokenizer is not None:
        texts.write_tokenizer(folder, tokenizer)
    (folder / files.CONFIG).write_text(json.dumps(settings_json, indent=2) + "\n")
    files.write_tensors(folder, tensors)
    return name


def _fitting(config: Any, params: Params, wanted: str) -> tuple[Family, Tensors]:
    """Returns the family whose config.json says all that these settings say, and the tensors under its names."""
    if wanted and wanted not in FAMILIES:
        raise UserError(unknown("family", wanted, list(FAMILIES)))
    nearest: tuple[int, str] = (1 << 30, "")
    for family in [FAMILIES[wanted]] if wanted else FAMILIES.values():
        if not isinstance(config, family.kind):
            continue
        try:
            tensors = family.pack(engine.give(params, family.table(config)), config)
            back = family.config(family.defaults | family.json(config), tensors)
        except UserError as error:
            if wanted or not nearest[1]:
                nearest = min(nearest, (1 << 20, f"{family.name}: {error}"))
            continue
        ours, theirs = meaning(config), meaning(back)
        differing = [key for key in ours if ours[key] != theirs[key]]
        if not differing:
            return family, tensors
        key = differing[0]
        reason = f"{family.name} would need model.{key}={theirs[key]}, which is {ours[key]} here"
        nearest = min(nearest, (len(differing), reason))
    raise UserError(f"no published architecture has these settings ({nearest[1]}); export the model as stablehlo")


def meaning(config: Any) -> dict[str, Any]:
    """Returns the settings that say what a trained model computes."""
    values = {key: value for key, value in dataclasses.asdict(config).items() if key not in TRAINING}
    if not isinstance(config, TransformerConfig):
        return values
    values |= {"kv_heads": config.key_heads, "head_width": config.each_head}
    silent = {
        "learned": ("position_offset", "max_length"),
        "rotary": ("rotary_base",),
        "relative": ("relative_buckets", "relative_longest"),
    }
    for kind, keys in silent.items():
        if config.positions != kind:
            values |= dict.fromkeys(keys)
    return values


def new_folder(path: str | Path) -> Path:
    """Returns the folder to write into, made if need be.

    Raises:
      UserError: something lies there already, or it cannot be made.
    """
    folder = Path(path).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{path}' is there already; give a folder that does not exist or is empty")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make '{path}': {error.strerror}") from None
    return folder
