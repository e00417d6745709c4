# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Regression: squared error by hand, labels as numbers, what is predicted, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor
from seqjax.evaluation.predict import predict
from seqjax.experiment import Experiment
from seqjax.models.model import initialise
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.regression import Regression
from seqjax.training.parallel import Devices, Parallel

BYTES = tokenizers.build("bytes", list)
RECORDS = [{"text": "ab", "pair": "c" * i, "label": str(i / 2)} for i in range(1, 6)]


def dataset(records):
    return Dataset(Data(length=16, layout="pad", eval_batch=2), Regression(), BYTES, lambda _: from_records(records))


def test_the_loss_is_the_squared_error():
    said = jnp.asarray([[1.0], [3.0], [9.0]])
    batch = {
        "tokens": np.ones((3, 4)), "number": np.float32([0.5, 5.0, 0.0]), "label_weight": np.float32([1, 1, 0]),
    }  # fmt: skip
    terms, metrics = Regression().loss(lambda *args, **kwargs: (said, None), {}, batch, None)
    assert [float(x) for x in terms["regression"]] == [0.25 + 4.0, 2.0]
    assert [float(x) for x in metrics["absolute_error"]] == [0.5 + 2.0, 2.0]
    assert float(Regression().weights(batch)["regression"]) == 2.0


def test_numbers_are_read_and_said():
    model = RNNConfig(vocab_size=BYTES.size, width=16, bidirectional=True, init_scale=1.0)
    objective = Regression(pool="mean")
    params = initialise(objective.build(model), jax.random.key(0))
    found = predictor(objective.build(model), dataset(RECORDS), Devices(Parallel(devices=1)))(params, "train")
    assert [each["gold"] for each in found] == [float(record["label"]) for record in RECORDS]
    data = Data(length=16, layout="pad", eval_batch=2)
    said = predict(
        Experiment(model=model, objective=objective, data=data),
        params,
        BYTES,
        [(r["text"], r["pair"]) for r in RECORDS],
    )
    # other rows are as wide as they need be
    np.testing.assert_allclose([each["number"] for each in said], [each["predicted"] for each in found], atol=1e-6)
    assert len({each["predicted"] for each in found}) == len(RECORDS)


@pytest.mark.parametrize("label", ["good", "nan", "1e999", ""])
def test_a_label_is_a_number(label):
    with pytest.raises(UserError, match="record 2: expected a number for the label, found '" + label):
        dataset([RECORDS[0], RECORDS[1] | {"label": label}]).rows("train")
