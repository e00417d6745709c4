# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Greedy text of the 260k-parameter TinyStories model of llama2.c, here and in transformers: the same 200 tokens.

    SEQJAX_DATA=FOLDER python -m benchmarks.stories260k      FOLDER/model_stories260k holds stories260K.bin, tok512.bin

Needs torch and transformers (requirements-parity.txt).
"""

import os
import sys
import tempfile
from pathlib import Path

from seqjax import interop
from seqjax.decoding.generate import generate
from seqjax.decoding.samplers import Greedy

NEW = 200


def main() -> int:
    """Prints the text and returns 0 where both wrote the same."""
    if "SEQJAX_DATA" not in os.environ:
        print("error: set SEQJAX_DATA to the folder that holds model_stories260k", file=sys.stderr)
        return 2
    import torch
    import transformers

    model, params, tokenizer = interop.read(Path(os.environ["SEQJAX_DATA"]) / "model_stories260k")
    assert tokenizer is not None
    prompt = [tokenizer.bos]
    (ours,) = generate(model, params, [prompt], sampler=Greedy(), new=NEW)
    with tempfile.TemporaryDirectory() as folder:
        interop.write(Path(folder) / "llama", model.trunk.config, params, tokenizer)
        theirs = transformers.LlamaForCausalLM.from_pretrained(Path(folder) / "llama").eval()
        with torch.no_grad():
            ids = theirs.generate(
                torch.tensor([prompt]), max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0
            )
    same = ours == ids[0, 1:].tolist()
    print(tokenizer.decode(ours))
    print(f"\n{len(ours)} tokens, {'the same' if same else 'NOT the same'} in transformers", file=sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
