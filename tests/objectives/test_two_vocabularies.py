# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Source and target with a vocabulary each: ids, ends and embeddings of either side, and a run with both tokenizers."""

import copy
import dataclasses
import json

import jax
import numpy as np
import pytest

from seqjax import trees
from seqjax.commands import predict, runs
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset, open_data
from seqjax.data.sources import Source
from seqjax.decoding.generate import generate
from seqjax.decoding.samplers import Greedy
from seqjax.errors import UserError
from seqjax.evaluation.texts import answers
from seqjax.experiment import Experiment, Run
from seqjax.models.model import build, encoder_alone, initialise, shapes
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.span_corruption import SpanCorruption
from seqjax.objectives.text_to_text import TextToText
from seqjax.training import checkpoint
from seqjax.training.ahead import standing_in
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Parallel
from seqjax.training.prepare import prepare
from seqjax.training.run import train
from tests.training.settings import measured

MODELS = {
    "seq2seq": Seq2SeqConfig(width=8, embed_width=6, init_scale=0.5),
    "transformer": TransformerConfig(
        layers=1, decoder_layers=1, width=8, heads=2, mlp_width=16, positions="rotary", init_std=0.5
    ),
}
each = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Letters from a to f, the last four of which are Ws to Zs."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdef"), 5)) for _ in range(80)]
    table = str.maketrans("cdef", "WXYZ", "ab")
    path.write_text("".join(json.dumps({"text": t, "pair": t.translate(table) + "Z"}) + "\n" for t in texts))
    return f"jsonl:{path}"


def experiment(spec, model=MODELS["seq2seq"], objective=TextToText(), **data):
    settings = {"tokenizer": "chars", "source_tokenizer": "chars", "length": 7, "batch": 8, "layout": "pad"} | data
    return Experiment(
        data=Data(Source(spec, pair="pair"), **settings),
        model=model, objective=objective, optimizer=Optimizer(peak_lr=1e-2), parallel=Parallel(devices=1),
        run=Run(steps=8, log_every=1, eval_every=4, keep=2),
    )  # fmt: skip


def test_each_side_has_the_ids_of_its_own_vocabulary(spec):
    data = open_data(experiment(spec).data, TextToText())
    target, source = data.tokenizer, data.tokenizer.source
    assert (target.size, source.size) == (5 + 4, 5 + 6)
    assert source.encode("W") == [source.unk] and target.encode("a") == [target.unk]
    record, found = data.records("train")[3], data.example("train", 0, 0, 3)
    assert source.decode(found["source"][:5].tolist()) == record["text"]
    assert target.decode(found["targets"].tolist()) == record["pair"]
    again = tokenizers.build("chars", lambda: ["WXYZ"])
    assert again.source is again and again.hash != target.hash


def test_sources_end_and_are_padded_by_ids_of_their_own(spec):
    data = open_data(experiment(spec).data, TextToText())
    source = copy.copy(data.tokenizer.source)
    source.eos, source.pad = 10, 9
    other = Dataset(
        dataclasses.replace(data.config, length=9), TextToText(), data.tokenizer.with_source(source), data.records
    )
    found, record = other.example("train", 0, 0, 3), data.records("train")[3]
    assert found["source"].tolist() == [*source.encode(record["text"]), 10, 9, 9, 9]
    assert found["targets"][found["weights"] > 0].tolist() == [*data.tokenizer.encode(record["pair"]), 3]
    source.eos = -1
    with pytest.raises(UserError, match="the tokenizer of sources has no end token"):
        other.rows("validation")


@each
def test_the_encoder_reads_a_table_of_its_own(name):
    shared, own = (dataclasses.replace(MODELS[name], vocab_size=9, source_vocab_size=size) for size in (0, 23))
    width = trees.flatten(shapes(build(own)))["trunk/source_tokens/embedding"].shape[1]
    assert trees.count(shapes(build(own))) == trees.count(shapes(build(shared))) + 23 * width
    model = build(own)
    params = initialise(model, jax.random.key(0))
    source, target = np.array([[20, 3, 21]]), np.array([[1, 2, 3]])

    def said(params):
        return model.apply({"params": params}, target, source_BS=source)[0].sum()

    slopes = trees.flatten(jax.jit(jax.grad(said))(params))
    read = np.abs(slopes["trunk/source_tokens/embedding"]).sum(1) > 0
    assert np.flatnonzero(read).tolist() == [3, 20, 21]
    if not own.tied:
        assert np.flatnonzero(np.abs(slopes["trunk/tokens/embedding"]).sum(1) > 0).tolist() == [1, 2, 3]


def test_an_encoder_alone_takes_its_own_table():
    config = dataclasses.replace(MODELS["transformer"], vocab_size=9, source_vocab_size=23)
    params = initialise(build(config), jax.random.key(0))
    alone, taken = encoder_alone(config, params)
    assert (alone.vocab_size, alone.source_vocab_size) == (23, 0)
    np.testing.assert_array_equal(taken["trunk"]["tokens"]["embedding"], params["trunk"]["source_tokens"]["embedding"])
    assert "source_tokens" not in taken["trunk"]


def test_answers_are_to_the_ids_of_sources(spec):
    data = open_data(experiment(spec).data, TextToText())
    model = build(Seq2SeqConfig(vocab_size=9, source_vocab_size=11, width=16, init_scale=1.0))
    params, source = initialise(model, jax.random.key(0)), data.tokenizer.source
    found = answers(model, data, params, "train", 6)
    asked = [[*source.encode(each["source"]), source.eos] for each in found]
    options = {"new": 7, "end": data.tokenizer.eos, "start": data.tokenizer.pad, "size": 9}
    said = generate(model, params, sources=asked, sampler=Greedy(), **options)
    assert [each["predicted"] for each in found] == [data.tokenizer.decode(ids) for ids in said]
    assert len({each["predicted"] for each in found}) > 1


@pytest.mark.parametrize("name", ["seq2seq", pytest.param("transformer", marks=pytest.mark.exhaustive)])
def test_a_run_keeps_both_tokenizers(name, spec, tmp_path):
    config, whole, broken = experiment(spec, MODELS[name]), tmp_path / "whole", tmp_path / "broken"
    outcome = train(config, whole, quiet=True)
    train(config, broken, quiet=True, until=5)
    train(config, broken, quiet=True)
    assert measured(broken) == measured(whole)
    resolved, params = checkpoint.load(whole, "newest")
    jax.tree.map(np.testing.assert_array_equal, params, checkpoint.load(broken, "newest")[1])
    assert (resolved.model.vocab_size, resolved.model.source_vocab_size) == (9, 11)
    kept, made = tokenizers.load(whole / "tokenizer"), prepare(config).dataset.tokenizer
    assert (kept.hash, kept.source.hash) == (made.hash, made.source.hash)
    scores = runs.evaluate(str(whole), "validation", "newest")[0]
    assert scores["scores"]["loss"] == pytest.approx(outcome["eval/loss"], rel=1e-6)
    sample = scores["report"]["samples"][0]
    said = predict.predict_texts(str(whole), [sample["source"]], None, None, "utf-8", None)[0][0]
    assert runs.generate(str(whole), sample["source"], len(said["answer"]), beams=1)[1] == said["answer"]
    assert set(said["answer"]) <= set("WXYZ")


def test_a_program_for_other_chips_has_both_tables(spec):
    made = standing_in(experiment(spec, tokenizer="bpe:300", source_tokenizer="bpe:500"))
    assert (made.experiment.model.vocab_size, made.experiment.model.source_vocab_size) == (300, 500)


def test_where_it_makes_no_sense_it_is_refused(spec, tmp_path):
    text = "data.source_tokenizer is for a source and a target"
    with pytest.raises(UserError, match=text):
        Experiment(data=Data(source_tokenizer="bytes"))
    with pytest.raises(UserError, match=text):
        experiment(spec, objective=SpanCorruption(), layout="stream")
    with pytest.raises(UserError, match="needs an encoder-decoder"):
        prepare(experiment(spec, TransformerConfig(layers=1, width=8, heads=2, mlp_width=16)))
    with pytest.raises(UserError, match="it needs model"):
        TransformerConfig(source_vocab_size=9)
    sized = dataclasses.replace(MODELS["seq2seq"], source_vocab_size=9)
    with pytest.raises(UserError, match=r"model\.source_vocab_size=9 needs data\.source_tokenizer"):
        prepare(experiment(spec, sized, source_tokenizer=""))
    with pytest.raises(UserError, match="of sources has 11 ids"):
        prepare(experiment(spec, sized))
    train(experiment(spec, source_tokenizer=""), tmp_path / "one", quiet=True, until=1)
    again = dataclasses.replace(experiment(spec), init_from=str(tmp_path / "one"))
    with pytest.raises(UserError, match="one tokenizer for both texts"):
        prepare(again)
