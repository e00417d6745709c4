# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Two towers: texts are encoded apart, groups are never divided, ranks are counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.evaluation.embed import sentence_embeddings
from seqjax.evaluation.retrieval import retrieval_report, vectors
from seqjax.models import families
from seqjax.models.model import initialise
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.two_towers import CosineRegression, InBatchNegatives, unit
from seqjax.training.parallel import Devices, Parallel

BYTES = tokenizers.build("bytes", list)
RECORDS = [
    {"text": "abc" * (i % 4 + 1) + str(i), "pair": "xy" * (i % 3) + str(i), "label": str(i % 6)} for i in range(24)
]
MODELS = {
    "bert": families.bert(vocab_size=BYTES.size, layers=2, width=16, heads=2, mlp_width=32, max_length=40, init_std=0.3),
    "rnn": RNNConfig(vocab_size=BYTES.size, width=16, bidirectional=True, init_scale=1.0),
}  # fmt: skip


def dataset(objective, **data):
    data = {"length": 32, "eval_batch": 8, "batch": 8, "layout": "pad"} | data
    return Dataset(Data(**data), objective, BYTES, lambda _: from_records(RECORDS))


@pytest.mark.parametrize("pool", ["first", "mean", "last"])
@pytest.mark.parametrize("name", MODELS)
def test_each_text_is_encoded_as_it_would_be_alone(name, pool):
    """By `sentence_embeddings`, one text a row."""
    objective = InBatchNegatives(group=4, pool=pool)
    model = objective.build(MODELS[name])
    params = initialise(model, jax.random.key(0))
    assert set(params) == {"trunk"}
    encode = vectors(model, dataset(objective), Devices(Parallel(devices=1)))
    *both, numbers = encode(params, "train")
    assert [RECORDS[i]["pair"] for i in np.unique(numbers, return_index=True)[1]] == sorted(
        {r["pair"] for r in RECORDS}
    )
    for found, key in zip(both, ("text", "pair"), strict=True):
        texts = [record[key] for record in RECORDS]
        alone = sentence_embeddings(model, params, BYTES, texts, pool=pool, normalise=True)
        np.testing.assert_allclose(found, alone, atol=1e-5)


def test_the_loss_is_a_softmax_over_the_group():
    """The third pair of the first group is padding: it is no candidate and counts nothing."""
    rng = np.random.default_rng(0)
    states = rng.normal(size=(6, 2, 5))
    objective = InBatchNegatives(group=3, similarity="dot", scale=0.5)
    weights = np.float32([[1, 1, 0], [1, 1, 1]])
    batch = {"tokens": np.ones((2, 3, 4)), "label_weight": weights}
    terms, metrics = objective.loss(lambda *args, **kwargs: (jnp.asarray(states), None), {}, batch, None)
    total, hits = 0.0, 0
    for rows in ([0, 1], [3, 4, 5]):
        scores = 0.5 * states[rows, 0] @ states[rows, 1].T
        total += sum(np.log(np.exp(scores[i]).sum()) - scores[i, i] for i in range(len(rows)))
        hits += sum(scores[i].argmax() == i for i in range(len(rows)))
    np.testing.assert_allclose(terms["retrieval"], (total, 5.0), rtol=1e-6)
    np.testing.assert_allclose(metrics["accuracy"], (hits, 5.0))


@pytest.mark.parametrize(("layout", "buckets"), [("pad", ()), ("bucket", (16, 24))])
def test_groups_are_whole_on_any_number_of_hosts_and_new_in_each_epoch(layout, buckets):
    data = dataset(InBatchNegatives(group=4), layout=layout, buckets=buckets)

    def groups(host, hosts, count):
        iterator = data.train(0, host, hosts)
        found = [frozenset(row.tobytes() for row in group) for _ in range(count) for group in next(iterator)["tokens"]]
        iterator.close()
        return found

    whole = groups(0, 1, 6)  # two epochs of 24 records in batches of 8
    assert all(len(group) == 4 for group in whole)
    assert sorted(groups(0, 2, 6) + groups(1, 2, 6), key=sorted) == sorted(whole, key=sorted)
    assert set(whole[:6]) != set(whole[6:])
    with pytest.raises(UserError, match=r"a batch of 8 rows does not divide among 4 hosts in groups of 4"):
        data.train(0, 0, 4)
    with pytest.raises(UserError, match=r"data.batch=8 does not divide among 4 devices in groups of 4"):
        Devices(Parallel(devices=4)).check(data.config.batches, 1, 4)


def test_texts_stand_apart_and_cut():
    objective = InBatchNegatives(group=2)
    records = [{"text": "a" * 20, "pair": "b" * 9}, {"text": "c", "pair": "d"}]
    data = Dataset(Data(length=16, layout="pad"), objective, BYTES, lambda _: from_records(records))
    long, short = (data.example("train", 0, 0, i) for i in range(2))
    assert long["tokens"].shape == (16,)
    bos, eos = BYTES.bos, BYTES.eos
    a, b = BYTES.encode("a")[0], BYTES.encode("b")[0]
    assert long["tokens"].tolist() == [bos, *[a] * 6, eos, bos, *[b] * 6, eos]
    assert long["segments"].tolist() == [1] * 8 + [2] * 8
    assert long["positions"].tolist() == [*range(8), *range(8)]
    assert short["segments"].tolist() == [1, 1, 1, 2, 2, 2] + [0] * 10


def test_cosines_are_regressed_on_the_scale_of_the_labels():
    states = np.array([[[3.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    batch = {"tokens": np.ones((3, 4)), "number": np.float32([4, 3, 0]), "label_weight": np.float32([1, 1, 0])}
    terms, _ = CosineRegression().loss(lambda *args, **kwargs: (jnp.asarray(states), None), {}, batch, None)
    np.testing.assert_allclose(terms["regression"], (1.0 + 9.0, 2.0))
    records = from_records([{"text": "a", "label": "1"}])
    alone = Dataset(Data(length=16, layout="pad"), CosineRegression(), BYTES, lambda _: records)
    with pytest.raises(UserError, match=r"set data.source.pair"):
        alone.example("train", 0, 0, 0)


def test_padding_has_no_gradient_that_is_no_number():
    assert np.isfinite(jax.grad(lambda x: jnp.sum(unit(x)))(jnp.zeros(3))).all()


def test_ranks_by_hand():
    queries = np.eye(4, dtype=np.float32)
    candidates = np.float32([[0.9, 0, 0, 0], [0.95, 0.5, 0, 0.1], [0.99, 0.5, 0.1, 0], [0, 0.4, 0.2, 0.1]])
    # ranks: 3 (two are before), 1 (what scores equal is the same text), 2, 1.5 (what scores equal is another text)
    found = retrieval_report(queries, candidates, np.array([7, 5, 5, 8]))
    assert found.pop("intervals")["recall_at_1"] == [0.0, 0.75]
    assert found == {
        "recall_at_1": 0.25, "recall_at_5": 1.0, "recall_at_10": 1.0, "candidates": 4,
        "mrr": pytest.approx((1 / 3 + 1 + 1 / 2 + 1 / 1.5) / 4),
    }  # fmt: skip


def test_towers_that_have_collapsed_find_nothing():
    same, different = np.ones((50, 4)) / 2, np.arange(50)
    found = retrieval_report(same, same, different)
    assert found["mrr"] == pytest.approx(1 / 25.5)
    assert found["recall_at_10"] == 0.0
    found = retrieval_report(same * np.nan, same * np.nan, different)
    assert found["mrr"] == pytest.approx(1 / 50)
    assert retrieval_report(same, same, 0 * different)["mrr"] == 1.0  # all say the same
