# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A state that goes on from batch to batch: strips read in pieces are the text read at once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import scorer
from seqjax.models.model import build, initialise
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.clm import CLM
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.run import train
from seqjax.training.step import initial_state, train_step
from tests.training.settings import experiment, text

TEXTS = [{"text": "abc" * (1 + i % 5) + " " + "xy" * (i % 7)} for i in range(20)]
CONFIG = RNNConfig(vocab_size=261, width=8, init_scale=0.5)


def setting(batch):
    source = from_records(TEXTS)
    data = Data(length=16, batch=batch, layout="strips")
    dataset = Dataset(data, CLM(), tokenizers.build("bytes", lambda: []), lambda split: source)
    model = build(CONFIG)
    return dataset, model, initialise(model, jax.random.key(0))


def read_at_once(model, params, tokens):
    """Returns the loss at each place of one long row."""
    logits = model.apply({"params": params}, tokens[None, :-1])[0][0]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[1:, None], axis=1)[:, 0]


@pytest.mark.parametrize(("devices", "accumulate"), [(1, 1), (1, 2), (4, 1)])
def test_training_goes_on_where_the_batch_before_ended_and_begins_again_with_the_text(devices, accumulate):
    dataset, model, params = setting(4)
    rows = dataset.rows("train")
    pieces, text = len(rows) // 4, rows.corpus.tokens
    wanted = [read_at_once(model, params, text[strip * pieces * 16 :][: pieces * 16 + 1]) for strip in range(4)]
    places, optimizer = Devices(Parallel("jit", devices)), optax.sgd(0.0)
    settings = {"apply": model.apply, "objective": CLM(), "optimizer": optimizer, "accumulate": accumulate}
    step = places.spread(lambda state, batch, key, **reduce: train_step(state, batch, key, **settings, **reduce))
    state = places.replicate(initial_state(params, optimizer, carry=model.initial_carry(4, 16)))
    iterator = dataset.train(seed=3)
    for update in range(2 * pieces):
        state, pairs = step(state, places.put(next(iterator)), jax.random.key(0))
        here = slice(update % pieces * 16, (update % pieces + 1) * 16)
        expected = np.mean([loss[here] for loss in wanted])
        np.testing.assert_allclose(pairs["loss"][0], expected, rtol=1e-5, err_msg=f"update {update} of {pieces}")
    iterator.close()


@pytest.mark.parametrize("devices", [1, 4])
def test_evaluation_is_of_the_whole_text_in_one_piece(devices):
    dataset, model, params = setting(4)
    score = scorer(model, dataset, Devices(Parallel("jit", devices)), 0)
    found = score(params, "validation")
    expected = np.mean(read_at_once(model, params, dataset.rows("validation").corpus.tokens))
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)


def test_what_cannot_go_on_is_refused(tmp_path):
    config = experiment(text(tmp_path), "strips")
    with pytest.raises(UserError, match=r"needs parallel\.backend=jit"):
        dataclasses.replace(config, parallel=Parallel("pmap", 1))
    with pytest.raises(UserError, match="needs a model that goes on from a state; set model=rnn"):
        train(dataclasses.replace(config, model=experiment(text(tmp_path)).model), tmp_path / "run", quiet=True)
    with pytest.raises(UserError, match=r"not for data\.layout=strips"):
        dataclasses.replace(config.data, stages=((4, 8, 4),))
