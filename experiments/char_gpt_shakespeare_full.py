# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Character GPT on tiny Shakespeare, the full setting.

Paper:     nanoGPT (Karpathy 2022), README, "I have a GPU": 6 layers, 6 heads, width 384, context 256, batch 64, 5,000
           updates, dropout 0.2, 1e-3 to 1e-4 on a cosine after 100 of warm-up
Departs:   windows cover the text once in an epoch instead of being drawn with replacement; the whole last tenth is
           scored instead of a sample
Command:   python launch.py train char_gpt_shakespeare_full data=text:PATH/input.txt
Data:      1,115,394 characters (Karpathy 2015, char-rnn), the last tenth held out
Hardware:  one chip of TPU v5e
Compiled:  for v5e:1x1: 1.94 of 16 GiB (state 0.12, temporaries 1.82)
Expected:  best validation loss 1.4697 nats per character
Observed:  the beginning: 4.321, 2.514 and 2.463 after 0, 50 and 100 updates, on a CPU (seed 0)
"""

from experiments import char_gpt_shakespeare
from seqjax.config import derive
from seqjax.experiment import Experiment, Run

BASE = "char_gpt_shakespeare"
HARDWARE = "1 x TPU v5e"


def experiment() -> Experiment:
    """10,795,392 parameters."""
    return derive(
        char_gpt_shakespeare.experiment(),
        name="char_gpt_shakespeare_full",
        data={"length": 256, "batch": 64, "eval_batch": 64},
        model={"layers": 6, "width": 384, "heads": 6, "mlp_width": 1536, "max_length": 256, "dropout": 0.2},
        optimizer={"peak_lr": 1e-3, "end_lr": 1e-4},
        run=Run(steps=5000, log_every=10, eval_every=250, save_every=50),
    )


def tiny() -> Experiment:
    """Seconds anywhere, on the embedded text."""
    return derive(char_gpt_shakespeare.tiny(), name="char_gpt_shakespeare_full", model={"dropout": 0.2})
