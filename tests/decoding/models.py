# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Small models of each kind, and what each says of a whole prefix, without a carry, without neighbours."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.models.heads import VocabularyHead
from seqjax.models.model import Model, build, initialise
from seqjax.models.rnn import RNN, RNNConfig
from seqjax.models.transformer_config import TransformerConfig

SMALL = {"vocab_size": 23, "layers": 2, "width": 32, "heads": 4, "mlp_width": 48, "init_std": 0.3}
CONFIGS = {
    "gpt": TransformerConfig(**SMALL, max_length=24, tied=False),
    "rotary": TransformerConfig(**SMALL, positions="rotary", scan=True),
    "lstm": RNNConfig(vocab_size=23, width=24, init_scale=0.8),
    "translator": RNNConfig(vocab_size=23, width=24, init_scale=0.8, forget_bias=1.0),
    "seq2seq": TransformerConfig(**SMALL, decoder_layers=2, positions="relative", tied=False),
    "seq2seq scan": TransformerConfig(**SMALL, decoder_layers=2, max_length=24, tied=False, scan=True),
}
DECODERS = ("gpt", "rotary", "lstm")
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 5]]
SOURCES = [[4, 9], [17, 3, 8, 2, 11], [6]]


class Translator(Model):
    """An encoder-decoder with nothing but the interface: one LSTM reads the source and goes on with the target."""

    def start(self, source_BS, source_segments_BS, length):
        empty = self.trunk.initial_carry(source_BS.shape[0], length)
        return self.trunk(source_BS, segments_BL=source_segments_BS, carry=empty)[1]


@functools.cache
def made(name):
    """Returns the model and its parameters, the same for all tests."""
    config = CONFIGS[name]
    model = Translator(RNN(config), VocabularyHead(23, False, use_bias=True)) if name == "translator" else build(config)
    return model, initialise(model, jax.random.key(2))


def sources(name):
    return {} if name in DECODERS else {"sources": SOURCES}


@functools.cache
def _whole(name):
    model, params = made(name)

    @jax.jit
    def logits(tokens, last, source):
        inputs = {}
        if name == "translator":
            inputs["carry"] = model.apply({"params": params}, source, jnp.ones_like(source), 24, method="start")
        elif name not in DECODERS:
            inputs["source_BS"] = source
        return model.apply({"params": params}, tokens, **inputs)[0][0, last]

    return logits


def logits(name, prefix, source=None):
    """Returns float32 [V] after a prefix."""
    padded = np.zeros((1, 24), np.int32)
    padded[0, : len(prefix)] = prefix
    source = None if source is None else np.array([source], np.int32)
    return np.asarray(_whole(name)(padded, len(prefix) - 1, source))


def log_probs(name, prefix, source=None):
    """Returns float32 [V]: how likely each token is after a prefix."""
    return np.asarray(jax.nn.log_softmax(logits(name, prefix, source)))


def slowly(name, row, new, choose=lambda logits_V, ids: logits_V.argmax()):
    """Returns `new` tokens after a prompt, the whole prefix read again for each."""
    ids = list(PROMPTS[row])
    for _ in range(new):
        ids.append(int(choose(logits(name, ids, None if name in DECODERS else SOURCES[row]), ids)))
    return ids[len(PROMPTS[row]) :]
