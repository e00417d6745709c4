# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Linear chains over the tags of sentences: those that take several rows, and those whose tags break their scheme."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records, open_split
from seqjax.errors import UserError
from seqjax.experiment import resolve
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.supervised import Tagging
from seqjax.tags import follows

LABELS = ("O", "B-X", "I-X")
LETTERS = tokenizers.build("words:40", lambda: ["a b c d e f g h i j k l m n"])
# Rows of 6 words that share 2: words 0-5, 4-9, ...; of what they share each row counts the half that is farther inside.
LONG = {"words": list("abcdefghijklm"), "tags": ["O", "O", "B-X", *["I-X"] * 7, "O", "B-X", "I-X"]}
SHORT = {"words": ["n", "a"], "tags": ["B-X", "O"]}


def opened(records, objective, **data):
    settings = {"length": 8, "layout": "pad", "eval_batch": 8, "overlap": 2} | data
    return Dataset(Data(**settings), objective, LETTERS, lambda _: from_records(records))


def scored(emissions, between, start, end):
    """Returns an `apply` that gives these emissions [B, L, K] and the scores of tags after each other."""
    head = Tagging(labels=LABELS, crf=True, dropout=0.0).head(None)
    learnt = {"start": start, "between": between, "end": end}

    def apply(params, tokens, **inputs):
        dense = {"output": {"kernel": jnp.eye(3), "bias": jnp.zeros(3)}}
        variables = {"params": {"emissions": dense, **learnt}}
        return head.apply(variables, emissions, None, None, False), None

    return apply


def test_an_entity_goes_on_in_the_next_row():
    """Each row's loss against the enumeration of its legal sequences; a border inside a sentence forbids nothing."""
    objective = Tagging(labels=LABELS, crf=True, dropout=0.0)
    batch = next(opened([LONG, SHORT], objective).evaluation("train", 0))
    assert batch["sentence_begins"].tolist()[:4] == [1, 0, 0, 1] and batch["sentence_ends"].tolist()[:4] == [0, 0, 1, 1]
    rng = np.random.default_rng(0)
    emissions = jnp.asarray(rng.normal(size=(*batch["tokens"].shape, 3)), jnp.float32)
    between, start, end = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((3, 3), 3, 3))
    apply = scored(emissions, between, start, end)
    terms, _ = objective.loss(apply, {}, batch, None)
    expected, gold_tags = 0.0, []
    for row in range(4):
        places = np.flatnonzero(batch["tag_weights"][row])
        begins, ends = batch["sentence_begins"][row], batch["sentence_ends"][row]
        scores = {}
        for tags in itertools.product(range(3), repeat=len(places)):
            names = [LABELS[tag] for tag in tags]
            names = [*(["O"] if begins else []), *names, *(["O"] if ends else [])]
            if all(follows(a, b, False) for a, b in itertools.pairwise(names)):
                score = sum(float(emissions[row, place, tag]) for place, tag in zip(places, tags, strict=True))
                score += sum(float(between[a, b]) for a, b in itertools.pairwise(tags))
                scores[tags] = score + begins * float(start[tags[0]]) + ends * float(end[tags[-1]])
        gold = tuple(batch["tags"][row][places].tolist())
        gold_tags.append([LABELS[tag] for tag in gold])
        expected += np.logaddexp.reduce(list(scores.values())) - scores[gold]
    assert gold_tags[1][0] == "I-X"
    np.testing.assert_allclose(terms["tagging"][0], expected, rtol=1e-5)
    shouting = 30.0 * jax.nn.one_hot(jnp.where(batch["tag_weights"] > 0, batch["tags"], 0), 3)
    found = objective.predict(scored(shouting, between, start, end), {}, batch)
    np.testing.assert_array_equal(np.where(batch["tag_weights"] > 0, found, 0), batch["tags"])


def test_a_short_sentence_still_begins_as_its_scheme_says():
    objective = Tagging(labels=LABELS, crf=True, dropout=0.0)
    batch = next(opened([SHORT], objective).evaluation("train", 0))
    zeros = jnp.zeros(3)
    shouting = jnp.zeros((*batch["tokens"].shape, 3)).at[:, :, 2].set(50.0)
    found = objective.predict(scored(shouting, jnp.zeros((3, 3)), zeros, zeros), {}, batch)
    assert [LABELS[tag] for tag in found[0][batch["tag_weights"][0] > 0]] == ["B-X", "I-X"]


@pytest.mark.parametrize(
    ("labels", "tags", "message"),
    [
        (
            LABELS,
            ["O", "I-X", "O"],
            r"2 of 5 sentences .* the first of them sentence 2 with 'I-X' after O; set .*=iob2,",
        ),
        (LABELS, ["I-X", "I-X", "O"], r"sentence 2 with 'I-X' after nothing; set data.source.scheme=iob2,"),
        (
            (*LABELS, "E-X", "S-X"),
            ["S-X", "B-X", "I-X"],
            r"sentence 2 with 'I-X' at its end; set data.source.scheme=iobes,",
        ),
        (
            (*LABELS, "E-X", "S-X"),
            ["S-X", "B-X", "O"],
            r"sentence 2 with 'O' after B-X; .* or objective.constrained=false",
        ),
    ],
)
def test_what_a_chain_forbids_is_no_training_data(labels, tags, message, capsys):
    bad = {"words": list("abc"), "tags": tags}
    good = {"words": list("ab"), "tags": ["O", "S-X" if "S-X" in labels else "B-X"]}
    objective = Tagging(labels=labels, crf=True)
    records = [good, bad, good, bad, good]
    with pytest.raises(UserError, match=rf"^split 'train': .*{message}"):
        opened(records, objective).rows("train")
    assert len(opened(records, objective).rows("validation")) == 5
    assert "split 'validation': 2 of 5 sentences" in capsys.readouterr().err
    assert len(opened([good] * 3, objective).rows("train")) == 3
    assert len(opened(records, Tagging(labels=labels, crf=True, constrained=False)).rows("train")) == 5
    assert len(opened(records, Tagging(labels=labels)).rows("train")) == 5
    with pytest.raises(UserError, match=message):
        opened(records, Multitask((objective,), (1.0,))).rows("train")
    assert not capsys.readouterr().err


def test_names_in_posts_are_converted(tmp_path):
    (tmp_path / "posts").write_text("a0 O\nb1 I-X\nc2 I-X\n\nd0 B-X\n")
    posts = {"train": f"conll:{tmp_path}/posts", "validation": "", "test": "", "holdout": 0.0}
    source = dataclasses.replace(resolve("weibo_ner").data.source, **posts)
    as_written = list(open_split(dataclasses.replace(source, scheme=""), "train"))
    with pytest.raises(UserError, match="1 of 2 sentences"):
        opened(as_written, Tagging(labels=LABELS, crf=True)).rows("train")
    converted = list(open_split(source, "train"))
    assert [record["tags"] for record in converted] == [["O", "B-X", "I-X"], ["B-X"]]
    assert len(opened(converted, Tagging(labels=LABELS, crf=True)).rows("train")) == 2
