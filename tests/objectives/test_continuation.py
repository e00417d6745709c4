# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Text to text by a language model: what counts, by hand, and answers equal to greedy decoding by full forwards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.commands import runs
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import Source, from_records
from seqjax.errors import UserError
from seqjax.evaluation.texts import answers, say
from seqjax.experiment import Experiment, Run
from seqjax.models.model import build, initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Parallel
from seqjax.training.run import train

PAIRS = [("abc", "xy"), ("", "z"), ("a" * 30, "b" * 4), ("c" * 3, "d" * 30), ("ef", "")]
BYTES = tokenizers.build("bytes", list)
LENGTH = 18


def dataset(objective, layout="pad", **options):
    records = from_records([{"text": a, "pair": b} for a, b in PAIRS])
    return Dataset(Data(length=LENGTH, layout=layout, eval_batch=4, **options), objective, BYTES, lambda _: records)


def transformer(**changes):
    size = {"vocab_size": BYTES.size, "layers": 2, "width": 16, "heads": 2, "mlp_width": 32, "max_length": LENGTH}
    config = TransformerConfig(**size | {"dropout": 0.0, "init_std": 0.5} | changes)
    model = build(config)
    return model, initialise(model, jax.random.key(0))


def parts(objective, a, b):
    """Returns the ids of both texts, cut as they are to be: by default ten places for a source, eight for a target."""
    source, target = objective.widest(LENGTH)
    assert source + target == LENGTH
    return BYTES.encode(a)[: source - 1], BYTES.encode(b)[: target - 1]


@pytest.mark.parametrize("kind", [Continuation, TextToText])
def test_a_long_source_loses_the_side_that_is_named(kind):
    """In a row as where it is asked; nothing else changes."""
    records = [{"text": text, "pair": "yz"} for text in ("first turn\nlast turn", "short", "")]
    for loses in ("end", "start"):
        objective = kind(loses=loses)
        data = Dataset(Data(length=LENGTH, layout="pad"), objective, BYTES, lambda _: from_records(records))
        room = objective.widest(LENGTH)[0] - 1
        assert room < len(records[0]["text"])
        for number, record in enumerate(records):
            text = record["text"]
            kept = text[:room] if loses == "end" else text[max(len(text) - room, 0) :]
            asked = objective.asked(objective.source(BYTES.encode(text), LENGTH), BYTES)
            begin = [BYTES.bos] if kind is Continuation else []
            assert asked == [*begin, *BYTES.encode(kept), BYTES.eos]
            row = data.example("test", 0, 0, number)
            name = "tokens" if kind is Continuation else "source"
            assert row[name][: len(asked)].tolist() == asked
            assert row["targets"][row["weights"] > 0].tolist() == [*BYTES.encode("yz"), BYTES.eos]
    with pytest.raises(UserError, match=r"objective\.loses"):
        kind(loses="middle")


@pytest.mark.parametrize("loses", ["end", "start"])
def test_an_answer_is_to_the_side_that_is_kept(loses):
    """Two sources that differ only in what is lost have the same answer, in evaluation."""
    kept, room = "b" * 40, Continuation().widest(LENGTH)[0] - 1
    texts = [kept + "x" * 3, kept + "y" * 3] if loses == "end" else ["x" * 3 + kept, "y" * 3 + kept]
    objective, (model, params) = Continuation(loses=loses), transformer()
    assert room < len(kept)
    same, other = say(model, objective, BYTES, LENGTH, 2, params, texts)
    assert same == other == say(model, objective, BYTES, LENGTH, 2, params, [kept[:room]])[0]


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("layout", ["pad", "bucket"])
def test_both_texts_stand_in_a_row_and_the_second_counts(layout, prefix):
    objective = Continuation(ratio=0.8, prefix=prefix)
    data = dataset(objective, layout, **({"buckets": (8, 17)} if layout == "bucket" else {}))
    for number, pair in enumerate(PAIRS):
        found = data.example("test", 0, 0, number)
        a, b = parts(objective, *pair)
        whole = [BYTES.bos, *a, BYTES.eos, *b, BYTES.eos]
        width = len(found["tokens"])
        assert width in ((LENGTH,) if layout == "pad" else (8, 17, LENGTH))
        real = found["segments"] > 0
        assert found["tokens"][real].tolist() == whole[:width]
        counts = found["weights"] > 0
        assert found["targets"][counts].tolist() == [*b, BYTES.eos]
        np.testing.assert_array_equal(np.flatnonzero(counts), len(a) + 1 + np.arange(len(b) + 1))
        assert ("prefix" in found) == prefix
        if prefix:
            np.testing.assert_array_equal(found["prefix"], np.arange(width) < len(a) + 2)


@pytest.mark.parametrize("prefix", [False, True])
def test_the_loss_is_that_of_causal_modelling_at_the_targets(prefix):
    objective = Continuation(prefix=prefix)
    data = dataset(objective)
    model, params = transformer()
    batch = next(data.evaluation("test", 0))
    terms, metrics = objective.loss(model.apply, params, batch, None)
    total, hits, count = 0.0, 0, 0
    for row, pair in enumerate(PAIRS[:4]):
        a, b = parts(objective, *pair)
        whole = np.array([[BYTES.bos, *a, BYTES.eos, *b, BYTES.eos]])
        read = whole[:, :-1]
        options = {"prefix_BL": (np.arange(read.shape[1]) < len(a) + 2)[None].astype(np.int32)} if prefix else {}
        logits, _ = model.apply({"params": params}, read, **options)
        log_p = np.asarray(jax.nn.log_softmax(logits))[0]
        for place in range(len(a) + 1, read.shape[1]):
            total -= log_p[place, whole[0, place + 1]]
            hits += int(np.argmax(log_p[place]) == whole[0, place + 1])
            count += 1
        assert batch["weights"][row].sum() == len(b) + 1
    np.testing.assert_allclose(terms["text"], (total, count), rtol=1e-5)
    assert float(metrics["accuracy"][0]) == hits
    if not prefix:
        causal, _ = CLM().loss(model.apply, params, batch, None)
        np.testing.assert_allclose(causal["clm"], terms["text"], rtol=1e-6)


@pytest.mark.parametrize("kind", ["causal", "prefix", "rnn", "relative"])
def test_an_answer_is_that_of_greedy_decoding_by_full_forwards(kind):
    """With as many positions as the row has places: the longest source and the longest answer just fit."""
    objective = Continuation(prefix=kind in ("prefix", "relative"))
    data = dataset(objective)
    if kind == "rnn":
        model = build(RNNConfig(vocab_size=BYTES.size, width=16, init_scale=1.0))
        params = initialise(model, jax.random.key(0))
    else:
        model, params = transformer(positions="relative" if kind == "relative" else "learned")
    apply = jax.jit(model.apply)
    lengths = set()
    for (a, b), found in zip(PAIRS, answers(model, data, params, "test"), strict=True):
        assert (found["source"], found["gold"]) == (a, b)
        source = parts(objective, a, b)[0]
        ids = [BYTES.bos, *source, BYTES.eos]
        for _ in range(objective.widest(LENGTH)[1]):
            row = np.zeros((1, LENGTH), np.int32)
            row[0, : len(ids)] = ids
            places = np.arange(LENGTH)[None]
            options = {"segments_BL": (places < len(ids)).astype(np.int32)}
            if objective.prefix:
                options["prefix_BL"] = (places < len(source) + 2).astype(np.int32)
            logits, _ = apply({"params": params}, jnp.asarray(row), **options)
            ids.append(int(jnp.argmax(logits[0, len(ids) - 1, : BYTES.size])))
            if ids[-1] == BYTES.eos:
                break
        said = ids[len(source) + 2 :]
        lengths.add(len(said))
        assert found["predicted"] == BYTES.decode([token for token in said if token != BYTES.eos])
    assert objective.widest(LENGTH)[1] in lengths


def test_a_tiny_model_learns_to_copy_and_is_asked(tmp_path):
    config = Experiment(
        data=Data(Source("made:copy/3"), tokenizer="bytes", length=12, batch=64, layout="pad"),
        model=TransformerConfig(layers=2, width=32, heads=2, mlp_width=64, positions="rotary", dropout=0.0, init_std=0.1),
        objective=Continuation(prefix=True),
        optimizer=Optimizer(peak_lr=1e-2, warmup=20),
        parallel=Parallel(devices=1),
        run=Run(steps=200, eval_every=200),
    )  # fmt: skip
    outcome = train(config, tmp_path / "run", quiet=True)
    assert outcome["eval/accuracy"] > 0.9
    report = runs.evaluate(str(tmp_path / "run"), "validation", "best")[0]["report"]
    assert report["exact"] > 70.0
    sample = next(each for each in report["samples"] if each["gold"] == each["predicted"])
    run, source = str(tmp_path / "run"), sample["source"]
    assert runs.generate(run, source, 8, 0.0)[1] == sample["gold"]
    assert runs.generate(run, source, 8, beams=2)[1] == sample["gold"]


def test_models_that_cannot_are_refused(tmp_path):
    data = Data(Source("made:copy/3"), tokenizer="bytes", length=12, layout="pad")
    for objective, model, message in [
        (Continuation(prefix=True), RNNConfig(width=8), "which only a decoder-only Transformer does"),
        (Continuation(), TransformerConfig(causal=False), r"set model\.causal=true"),
        (Continuation(), TransformerConfig(decoder_layers=1), r"set model\.decoder_layers=0"),
    ]:
        with pytest.raises(UserError, match=message):
            train(Experiment(data=data, objective=objective, model=model), tmp_path / "run", quiet=True)
    with pytest.raises(UserError, match=r"objective\.ratio=0\.0 must be above 0"):
        Continuation(ratio=0.0)
