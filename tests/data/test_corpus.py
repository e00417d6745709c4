# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Records as tokens: either all have a second text or none has; labels that are numbers are in their order."""

import json
import types

import pytest

from seqjax.data import tokenizers
from seqjax.data.corpus import label_names, tokenise
from seqjax.data.sources import from_records
from seqjax.errors import UserError

BYTES = tokenizers.build("bytes", list)
MANY = 600  # more than are tokenised together


@pytest.mark.parametrize(("reads", "label"), [("label", "a"), ("number", "1")])
@pytest.mark.parametrize("odd", [0, 1, 512, MANY - 1])
@pytest.mark.parametrize("paired", [False, True])
def test_a_second_text_is_of_all_records_or_of_none(reads, label, odd, paired):
    one, two = {"text": "a", "label": label}, {"text": "a", "pair": "b", "label": label}
    usual, other = (two, one) if paired else (one, two)
    assert tokenise(from_records([usual] * MANY), BYTES, reads, ["a"]).pair == paired
    records = [other if i == odd else usual for i in range(MANY)]
    number, first = (2, not paired) if odd == 0 else (odd + 1, paired)
    what = "a second text in 'pair', as record 1 has" if first else "one text, as record 1 is"
    with pytest.raises(UserError, match=f"record {number}: expected {what}, found text"):
        tokenise(from_records(records), BYTES, reads, ["a"])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "2", "0", "1", "2"], ("0", "1", "2", "10")),
        (["b", "a10", "a2"], ("a10", "a2", "b")),
        (["10", "2", "x"], ("10", "2", "x")),
    ],
)
def test_labels_that_are_all_whole_numbers_are_sorted_as_numbers(labels, expected):
    assert label_names(from_records([{"text": "a", "label": label} for label in labels]), "label") == expected


def test_labels_in_memory_that_are_numbers_or_truth_values_are_classes():
    for labels, names in (([1, 0, 10, 2], ("0", "1", "2", "10")), ([True, False], ("false", "true"))):
        records = from_records([{"text": "a", "label": label} for label in labels])
        assert label_names(records, "label") == names
        found = tokenise(records, BYTES, "label", names)
        assert [names[number] for number in found.label] == [json.dumps(label) for label in labels]
    tagged = from_records([{"words": ["a", "b"], "tags": [3, 0]}])
    assert label_names(tagged, "tags") == ("0", "3")
    tags = tokenise(tagged, BYTES, "tags", ("0", "3")).tags
    assert tags[tags >= 0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("reads", "record"),
    [
        ("label", {"text": "a", "label": "x"}),
        ("tags", {"words": ["a"], "tags": ["x"]}),
        ("choices", {"text": "a", "choices": ["b", "c"], "label": "x"}),
    ],
)
def test_an_objective_without_labels_is_told_to_have_some(reads, record):
    with pytest.raises(UserError, match=r"^record 1: expected the objective to name its labels, .*pass them, labels="):
        tokenise(from_records([record]), BYTES, reads, ())
    with pytest.raises(UserError, match=r"^objective\.labels: expected texts, found 0; write them as texts"):
        tokenise(from_records([record]), BYTES, reads, (0, 1, 2))


@pytest.mark.parametrize("place", [0, MANY - 1])
@pytest.mark.parametrize(
    ("reads", "record"),
    [
        ("choices", {"text": "what rose?", "choices": ["b", "c"], "label": "0"}),
        ("relation", {"text": "<e1>what</e1> <e2>rose</e2>?", "label": "0"}),
    ],
)
def test_a_second_text_that_would_not_be_read_is_refused(reads, record, place):
    odd = record | {"pair": "an article"}
    records = [odd if number == place else record for number in range(MANY)]
    message = rf"^record {place + 1}: expected one text, found a second in 'pair'.*data\.source\.text=article,question"
    with pytest.raises(UserError, match=message):
        tokenise(from_records(records), BYTES, reads, ("0", "1"))
    joined = [{**odd, "text": f"{odd['pair']} {odd['text']}"}]  # as data.source.text=pair,text makes it
    assert len(tokenise(from_records(joined), BYTES, reads, ("0", "1"))) == (2 if reads == "choices" else 1)


def test_a_tokenizer_without_an_end_is_refused():
    tokenizer = types.SimpleNamespace(eos=-1)
    with pytest.raises(UserError, match="no end token, which parts texts"):
        tokenise(from_records([{"text": "a"}]), tokenizer, "text")
