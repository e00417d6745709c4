# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How fast one core turns text into batches, for each objective: tokens per second, tokenising included.

    python -m benchmarks.input [--seconds 5] [--length 256]

English documentation (the embedded corpus), byte pairs of 8,192 ids. Tokenising is done once for a corpus and kept on
disk; here it counts. "rows" are cutting, packing, corruption and stacking into batches, on one thread, as an epoch
repeats them; "both" is one epoch of text to batches. Compare with the tokens that a training step eats
(`python -m benchmarks.train_step`).
"""

import argparse
import dataclasses
import json
import os
import time
from typing import Any

OBJECTIVES = {
    "CLM": ("clm", "CLM", "pack"),
    "PrefixLM": ("prefix_lm", "PrefixLM", "pack"),
    "MLM": ("mlm", "MLM", "pack"),
    "PairedMLM": ("pairs", "PairedMLM", "pad"),
    "RTD": ("rtd", "RTD", "pack"),
    "SpanCorruption": ("span_corruption", "SpanCorruption", "stream"),
    "Denoisers": ("denoisers", "Denoisers", "stream"),
    "Multitask": ("multitask", "Multitask", "pack"),
}


def main() -> None:
    """Prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each objective")
    parser.add_argument("--length", type=int, default=256)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["RAYON_NUM_THREADS"] = "1"

    import importlib

    from seqjax.data.pipeline import Data, open_data, stack
    from seqjax.data.sources import Source, open_split

    config = Data(Source("stdlib/docs"), tokenizer="bpe:8192", length=options.length)
    texts = [record["text"] for record in open_split(config.source, "train")]
    tokenizer: Any = None
    tokenising = 0.0
    result: dict[str, dict[str, float]] = {}
    for name, (module, objective, layout) in OBJECTIVES.items():
        made = getattr(importlib.import_module(f"seqjax.objectives.{module}"), objective)()
        dataset = open_data(dataclasses.replace(config, layout=layout), made, tokenizer)
        if tokenizer is None:
            tokenizer = dataset.tokenizer
            begun = time.perf_counter()
            tokens = sum(map(len, tokenizer.encode_batch(texts)))
            tokenising = tokens / (time.perf_counter() - begun)
        rows = dataset.rows("train")
        done, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < options.seconds:
            stack([dataset.example("train", 0, 0, (done + i) % len(rows)) for i in range(32)])
            done += 32
        rate = done * options.length / spent
        result[name] = {"tokenise": tokenising, "rows": rate, "both": 1 / (1 / tokenising + 1 / rate)}
        shown = ", ".join(f"{part} {value:,.0f}" for part, value in result[name].items())
        print(f"{name:15} {shown} tokens/s")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
