# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Logits, losses and gradients of fine-tuning objectives are those of `transformers` with the same weights."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.interop import folders
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.objective import call
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import InBatchNegatives
from tests.parity import families

BYTES = tokenizers.build("bytes", list)
SETTINGS = {
    "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24, "vocab_size": BYTES.size,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "attn_implementation": "eager",
}  # fmt: skip


def pair(kind, folder, objective, **settings):
    """Returns their model, ours, and its parameters: the same trunk, pooler and output."""
    theirs = families.theirs(families.Case("bert", kind, SETTINGS | settings))
    theirs.bert.save_pretrained(folder)
    read = folders.load(folder)
    head = {
        name: {"kernel": layer.weight.detach().numpy().T, "bias": layer.bias.detach().numpy()}
        for name, layer in (("pooler", theirs.bert.pooler.dense), ("output", theirs.classifier))
    }
    return theirs, objective.build(read.config), {"trunk": read.params["trunk"], "head": head}


def dataset(objective, records, **data):
    return Dataset(Data(layout="pad", **data), objective, BYTES, lambda _: from_records(records))


def theirs_reads(rows, length):
    """Returns their inputs: [begin] text [end] pair [end] of each, padded."""
    inputs = {
        name: np.zeros((len(rows), length), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    for i, (text, second) in enumerate(rows):
        a, b = BYTES.encode(text), BYTES.encode(second)
        ids = [BYTES.bos, *a, BYTES.eos, *b, BYTES.eos]
        inputs["input_ids"][i, : len(ids)] = ids
        inputs["attention_mask"][i, : len(ids)] = 1
        inputs["token_type_ids"][i, len(a) + 2 : len(ids)] = 1
    return {name: torch.tensor(x) for name, x in inputs.items()}


def check(found, wanted, gradient, theirs):
    """Compares a summed loss, and its gradient at the embeddings, the deepest layer."""
    np.testing.assert_allclose(found, wanted.detach(), rtol=1e-5)
    wanted.backward()
    there = theirs.bert.embeddings.word_embeddings.weight.grad.numpy()
    np.testing.assert_allclose(gradient["trunk"]["tokens"]["embedding"], there, atol=1e-4)
    assert np.abs(there).max() > 1e-2


def test_regression(tmp_path):
    objective = Regression(dropout=0.0)
    kind = transformers.BertForSequenceClassification
    theirs, model, params = pair(kind, tmp_path, objective, num_labels=1, problem_type="regression")
    records = [
        {"text": "rain fell", "pair": "it is wet", "label": "4.5"},
        {"text": "he ate all the bread", "pair": "no", "label": "-0.25"},
        {"text": "a", "pair": "b", "label": "2"},
    ]
    batch = next(dataset(objective, records, length=40, eval_batch=3).evaluation("train", 0))
    inputs = theirs_reads([(r["text"], r["pair"]) for r in records], 40)
    out = theirs(**inputs, labels=torch.tensor([float(r["label"]) for r in records]))
    np.testing.assert_allclose(call(model.apply, params, batch, None), out.logits.detach(), atol=1e-4)

    def loss(params):
        return objective.loss(model.apply, params, batch, None)[0]["regression"][0]

    check(loss(params), 3 * out.loss, jax.grad(loss)(params), theirs)


def test_in_batch_negatives(tmp_path):
    """The loss of sentence-transformers' MultipleNegativesRankingLoss, written out on their encoder."""
    objective = InBatchNegatives(group=3)
    theirs = families.theirs(families.Case("bert", transformers.BertModel, SETTINGS))
    theirs.save_pretrained(tmp_path)
    read = folders.load(tmp_path)
    model, params = objective.build(read.config), {"trunk": read.params["trunk"]}
    texts = [("rain fell", "it is wet"), ("he ate all the bread", "no"), ("a", "b c")]
    records = [{"text": a, "pair": b} for a, b in texts]
    batch = next(dataset(objective, records, length=40, eval_batch=3).evaluation("train", 0))

    def mean(text):
        states = theirs(torch.tensor([[BYTES.bos, *BYTES.encode(text), BYTES.eos]])).last_hidden_state[0]
        return torch.nn.functional.normalize(states.mean(dim=0), dim=0)

    queries, answers = (torch.stack([mean(pair[side]) for pair in texts]) for side in (0, 1))
    wanted = torch.nn.functional.cross_entropy(20.0 * queries @ answers.T, torch.arange(3))

    def loss(params):
        return objective.loss(model.apply, params, batch, None)[0]["retrieval"][0] / 3

    np.testing.assert_allclose(loss(params), wanted.detach(), rtol=1e-4)
    wanted.backward()
    there = theirs.embeddings.word_embeddings.weight.grad.numpy()
    np.testing.assert_allclose(jax.grad(loss)(params)["trunk"]["tokens"]["embedding"], there, atol=1e-4)
    assert np.abs(there).max() > 1e-2


@pytest.mark.parametrize("kind", [Classification, Tagging])
def test_class_weights(kind):
    """Against torch's, whose mean is over the weights of the targets."""
    rng = np.random.default_rng(0)
    objective = kind(labels=("a", "b", "c"), class_weights=(0.5, 2.0, 0.0))
    shape, names = ((8,), ("label", "label_weight")) if kind is Classification else ((4, 6), ("tags", "tag_weights"))
    logits, classes = rng.normal(size=(*shape, 3)).astype(np.float32), rng.integers(0, 3, shape)
    counts = rng.integers(0, 2, shape).astype(np.float32)
    batch = {"tokens": np.ones((len(logits), 4)), names[0]: classes, names[1]: counts}
    terms, metrics = objective.loss(lambda *args, **kwargs: (logits, None), {}, batch, None)
    ((value, weight),) = terms.values()
    entropy = torch.nn.CrossEntropyLoss(weight=torch.tensor([0.5, 2.0, 0.0]))
    wanted = entropy(torch.tensor(logits[counts > 0]), torch.tensor(classes[counts > 0]))
    np.testing.assert_allclose(value / weight, wanted, rtol=1e-5)
    assert float(weight) == float(sum(objective.weights(batch).values()))
    assert float(metrics["accuracy"][1]) == counts.sum()  # accuracy counts each alike


def test_multiple_choice(tmp_path):
    objective = MultipleChoice(labels=("0", "1", "2"), dropout=0.0)
    theirs, model, params = pair(transformers.BertForMultipleChoice, tmp_path, objective)
    records = [
        {"text": "rain fell", "choices": ["it is wet", "dry", "no"], "label": "0"},
        {"text": "he ate all the bread", "choices": ["so", "he is full", "he ran"], "label": "1"},
    ]
    batch = next(dataset(objective, records, length=120, eval_batch=2).evaluation("train", 0))
    inputs = theirs_reads([(r["text"], choice) for r in records for choice in r["choices"]], 40)
    out = theirs(**{name: x.reshape(2, 3, -1) for name, x in inputs.items()}, labels=torch.tensor([0, 1]))
    np.testing.assert_allclose(call(model.apply, params, batch, None), out.logits.detach(), atol=1e-4)

    def loss(params):
        return objective.loss(model.apply, params, batch, None)[0]["multiple_choice"][0]

    check(loss(params), 2 * out.loss, jax.grad(loss)(params), theirs)


def test_the_last_state_of_gpt2(tmp_path):
    """GPT2ForSequenceClassification reads the state of each row's last token that is no padding."""
    settings = {
        "n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 40, "vocab_size": BYTES.size, "bos_token_id": None,
        "eos_token_id": None, "pad_token_id": BYTES.pad, "num_labels": 3, "attn_implementation": "eager",
        "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
    }  # fmt: skip
    theirs = families.theirs(families.Case("gpt2", transformers.GPT2ForSequenceClassification, settings))
    theirs.transformer.save_pretrained(tmp_path)
    read = folders.load(tmp_path)
    objective = Classification(labels=("a", "b", "c"), pool="last", pooler=False, dropout=0.0)
    model = objective.build(read.config)
    output = {"kernel": theirs.score.weight.detach().numpy().T, "bias": np.zeros(3, np.float32)}
    params = {"trunk": read.params["trunk"], "head": {"output": output}}
    records = [{"text": text, "label": "b"} for text in ("rain fell", "he ate all the bread", "a")]
    batch = next(dataset(objective, records, length=30, eval_batch=3).evaluation("train", 0))
    out = theirs(input_ids=torch.tensor(batch["tokens"], dtype=torch.long), labels=torch.tensor([1, 1, 1]))
    found = call(model.apply, params, batch, None)
    np.testing.assert_allclose(found, out.logits.detach(), atol=1e-4)
    assert np.ptp(found, axis=0).min() > 1e-2
    (loss, weight), gradient = jax.value_and_grad(
        lambda params: objective.loss(model.apply, params, batch, None)[0]["classification"], has_aux=True
    )(params)
    np.testing.assert_allclose(loss / weight, out.loss.detach(), rtol=1e-5)
    (3 * out.loss).backward()
    there = theirs.transformer.wte.weight.grad.numpy()
    np.testing.assert_allclose(gradient["trunk"]["tokens"]["embedding"], there, atol=1e-4)
