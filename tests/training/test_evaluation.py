# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation is a property of model and data: not of batch size, devices or backend."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.evaluation.evaluate import predictor, report, reported, scorer
from seqjax.models.model import build, initialise
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.mlm import MLM
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import CosineRegression, InBatchNegatives
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.step import gradients

TEXTS = [" ".join("abcdefg"[i % 7] * (1 + (i * j) % 5) for j in range(1 + i % 23)) for i in range(53)]
RECORDS = [
    {
        "text": text,
        "label": "xyz"[len(text) % 3],
        "choices": [text[::2], text[::-1], "abc"],
        "words": text.split(),
        "tags": ["BO"[len(w) % 2] for w in text.split()],
        "pair": text[::-1] + " " + text,
        "answers": [{"text": text[-1], "answer_start": 0}] * (len(text) % 3 > 0),
    }
    for text in TEXTS
]
TAGGED = [record | {"tags": ["B-T" if tag == "B" else "O" for tag in record["tags"]]} for record in RECORDS]
CHOOSING = [{key: value for key, value in record.items() if key != "pair"} for record in RECORDS]
NUMBERED = [record | {"label": str(len(record["text"]) / 10)} for record in RECORDS]
PAIRED = [record | {"pair": record["text"][::-1]} for record in NUMBERED]
OBJECTIVES = {
    "clm": CLM(), "mlm": MLM(), "classification": Classification(labels=("x", "y", "z")),
    "tagging": Tagging(labels=("O", "B-T")), "choice": MultipleChoice(labels=("x", "y", "z"), pool="mean"),
    "regression": Regression(pool="mean"), "cosine": CosineRegression(), "towers": InBatchNegatives(group=4),
    "answers": QuestionAnswering(no_answer=True), "continuation": Continuation(prefix=True),
}  # fmt: skip


@functools.cache
def setting(name, layout="pad", **options):
    objective = OBJECTIVES[name]
    source = from_records(
        {"tagging": TAGGED, "choice": CHOOSING, "regression": NUMBERED, "cosine": PAIRED, "towers": PAIRED}.get(
            name, RECORDS
        )
    )
    data = Data(length=32, eval_batch=16, layout=layout, **options)
    dataset = Dataset(data, objective, tokenizers.build("bytes", lambda: []), lambda split: source)
    config = TransformerConfig(
        vocab_size=261, layers=1, width=16, heads=2, mlp_width=32, max_length=32, causal=objective.one_way, dropout=0.1
    )
    model = build(config, objective.head(config))
    return model, initialise(model, jax.random.key(0)), dataset


def resized(dataset, size):
    return Dataset(
        dataclasses.replace(dataset.config, eval_batch=size), dataset.objective, dataset.tokenizer, dataset.records
    )


@pytest.mark.parametrize(
    ("size", "backend", "devices"), [(1, "jit", 1), (7, "jit", 1), (32, "jit", 8), (7, "jit", 8), (7, "pmap", 8)]
)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_batch_size_and_devices_do_not_matter(name, size, backend, devices):
    model, params, dataset = setting(name)
    expected = scorer(model, resized(dataset, 32), Devices(Parallel("jit", 1)), 5)(params, "validation")
    found = scorer(model, resized(dataset, size), Devices(Parallel(backend, devices)), 5)(params, "validation")
    assert found.keys() == expected.keys()
    # exp(loss) would ask more of the loss the larger it is.
    logs = {"perplexity": np.log}
    for key, value in expected.items():
        of = logs.get(key, np.asarray)
        np.testing.assert_allclose(of(found[key]), of(value), rtol=1e-6)


@pytest.mark.parametrize("name", ["clm", "mlm"])
def test_packed_equals_unpacked(name):
    """The same documents in one row or in rows of their own; masks are moved along with their documents."""
    model, params, dataset = setting(name, "pack")
    packed = next(dataset.evaluation("train", 0))
    assert packed["segments"].max() > 2
    score = jax.jit(functools.partial(gradients, apply=model.apply, objective=dataset.objective))
    grads, pairs, _ = score(params, packed, None)
    grads_apart, pairs_apart, _ = score(params, apart(packed), None)
    for term, (value, weight) in pairs.items():
        np.testing.assert_allclose(pairs_apart[term][0] / pairs_apart[term][1], value / weight, rtol=1e-6)
        assert float(pairs_apart[term][1]) == float(weight)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), grads, grads_apart)


def apart(batch):
    """Moves each document of a packed batch to the beginning of a row of its own."""
    rows = []
    for row in range(len(batch["tokens"])):
        for segment in range(1, int(batch["segments"][row].max()) + 1):
            places = np.flatnonzero(batch["segments"][row] == segment)
            new = {name: np.zeros_like(x[row]) for name, x in batch.items()}
            for name in ("tokens", "segments", "positions", "targets", "weights"):
                if name in batch:
                    new[name][: len(places)] = batch[name][row][places]
            if "mlm_positions" in batch:
                here = np.isin(batch["mlm_positions"][row], places) & (batch["mlm_weights"][row] > 0)
                new["mlm_positions"][: here.sum()] = batch["mlm_positions"][row][here] - places[0]
                new["mlm_targets"][: here.sum()] = batch["mlm_targets"][row][here]
                new["mlm_weights"][: here.sum()] = 1
            rows.append(new)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def test_each_row_is_seen_once_and_perplexity_is_what_it_says():
    model, params, dataset = setting("clm")
    scores = scorer(model, dataset, Devices(Parallel("jit", 8)), 0)(params, "validation")
    total = 0.0
    apply = jax.jit(model.apply)
    for text in TEXTS:
        ids = [2, *dataset.tokenizer.encode(text), 3]
        for start in range(0, len(ids) - 1, 32):
            window = np.array([ids[start : start + 33]])
            width = window.shape[1] - 1
            padded = np.pad(window[:, :-1], ((0, 0), (0, 32 - width)))
            segments = (np.arange(32) < width)[None].astype(np.int32)
            logits, _ = apply({"params": params}, padded, segments_BL=segments)
            log_p = np.asarray(jax.nn.log_softmax(logits))[0, np.arange(width), window[0, 1:]]
            total -= log_p.sum()
    tokens = sum(len(text.encode()) + 1 for text in TEXTS)
    np.testing.assert_allclose(scores["loss"], total / tokens, rtol=1e-5)
    np.testing.assert_allclose(scores["perplexity"], np.exp(total / tokens), rtol=1e-5)
    size = sum(len(text.encode()) for text in TEXTS)
    np.testing.assert_allclose(scores["bits_per_byte"], total / np.log(2) / size, rtol=1e-5)


def test_masks_of_an_evaluation_are_the_same_each_time():
    _, _, dataset = setting("mlm")
    first, second = (list(dataset.evaluation("validation", 5)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)
    other = next(dataset.evaluation("validation", 6))
    assert not np.array_equal(other["tokens"], first[0]["tokens"])


@pytest.mark.parametrize("name", ["classification", "tagging", "choice", "regression"])
def test_reports_agree_with_the_scores_of_the_evaluation(name):
    model, params, dataset = setting(name)
    devices = Devices(Parallel("jit", 1))
    scores = scorer(model, dataset, devices, 0)(params, "validation")
    pairs = predictor(model, dataset, devices)(params, "validation")
    found = report(dataset.objective, pairs)
    assert len(pairs) == len(RECORDS)
    key = {"tagging": "token_accuracy", "regression": "mean_absolute_error"}.get(name, "accuracy")
    np.testing.assert_allclose(found[key], scores["absolute_error" if name == "regression" else "accuracy"], rtol=1e-6)
    if name in ("classification", "choice"):
        assert [pair["gold"] for pair in pairs] == [record["label"] for record in RECORDS]


def test_training_order_is_a_function_of_seed_and_step_for_any_number_of_hosts():
    _, _, dataset = setting("clm", batch=8)
    whole = [next_batches(dataset, 0, 1, 12)]
    halves = [next_batches(dataset, host, 2, 12) for host in range(2)]
    quarters = [next_batches(dataset, host, 4, 12) for host in range(4)]
    for step in range(12):
        sets = [sorted(row.tobytes() for part in parts for row in part[step]) for parts in (whole, halves, quarters)]
        assert sets[0] == sets[1] == sets[2]
    other = dataset.train(1)
    assert not np.array_equal(next(other)["tokens"], whole[0][0])
    other.close()


def next_batches(dataset, host, hosts, count):
    iterator = dataset.train(0, host, hosts)
    found = [next(iterator)["tokens"] for _ in range(count)]
    iterator.close()
    return found


@pytest.mark.parametrize("layout", ["pad", "bucket"])
def test_the_position_is_restored_without_replaying(layout):
    options = {"buckets": (8, 16)} if layout == "bucket" else {}
    _, _, dataset = setting("mlm", layout, batch=4, **options)
    iterator = dataset.train(0)
    for _ in range(30):  # beyond an epoch
        next(iterator)
    state = iterator.get_state()
    expected = [next(iterator) for _ in range(5)]
    fresh = dataset.train(0)
    fresh.set_state(state)
    for batch in expected:
        jax.tree.map(np.testing.assert_array_equal, next(fresh), batch)
    assert len(str(state)) < 200
    iterator.close()
    fresh.close()


@pytest.mark.parametrize("name", ["classification", "tagging", "answers", "regression"])
def test_a_sample_of_training_is_judged_beside_its_own_records(name):
    model, params, dataset = setting(name, limit=20)
    sample = [dataset.chosen("train")[i] for i in range(20)]
    assert sample != RECORDS[:20]
    assert len(dataset.chosen("validation")) == len(RECORDS)
    whole = dataclasses.replace(dataset.config, limit=0)
    alone = Dataset(whole, dataset.objective, dataset.tokenizer, lambda _: from_records(sample))
    found, expected = (reported(model, each, Devices(Parallel("jit", 1)), params, "train") for each in (dataset, alone))
    assert found.pop("tuned", None) != {}  # which is by another split
    assert found == {key: value for key, value in expected.items() if key != "tuned"}
    assert found["worst"]["errors"]
