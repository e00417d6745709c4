# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The published models have the published numbers of parameters, to the last one."""

import pytest

from seqjax import trees
from seqjax.models.families import SIZES, size
from seqjax.models.heads import ClassificationHead
from seqjax.models.model import build, shapes

# Of the released checkpoints: model cards, and papers where they round to it.
WITH_OUTPUT = {
    "gpt2_small": 124_439_808,
    "gpt2_medium": 354_823_168,
    "gpt2_large": 774_030_080,
    "gpt2_xl": 1_557_611_200,
    "t5_small": 60_506_624,
    "t5_base": 222_903_552,
    "t5_large": 737_668_096,
    "t5_3b": 2_851_598_336,
    "t5_11b": 11_307_321_344,
    "t5_v1_1_small": 76_961_152,
    "t5_v1_1_base": 247_577_856,
    "t5_v1_1_large": 783_150_080,
    "t5_v1_1_xl": 2_849_757_184,
    "llama_7b": 6_738_415_616,
    "llama_13b": 13_015_864_320,
    "llama_33b": 32_528_943_616,
    "llama_65b": 65_285_660_672,
    "llama2_70b": 68_976_648_192,
    "bert_base": 109_514_298,  # with the masked-LM head
}
WITH_POOLER = {
    "bert_tiny": 4_385_920,
    "bert_mini": 11_170_560,
    "bert_small": 28_763_648,
    "bert_medium": 41_373_184,
    "bert_base": 109_482_240,
    "bert_base_cased": 108_310_272,
    "bert_large": 335_141_888,
    "roberta_base": 124_645_632,
    "roberta_large": 355_359_744,
}
TRUNK = {"electra_small": 13_483_008, "electra_base": 108_891_648, "electra_large": 334_092_288}


@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_size_with_output_layer(name):
    assert trees.count(shapes(build(size(name, scan=True)))) == WITH_OUTPUT[name]


@pytest.mark.parametrize("name", WITH_POOLER)
def test_size_of_encoder_with_pooler(name):
    params = shapes(build(size(name, scan=True), ClassificationHead(2)))
    assert trees.count(params["trunk"]) + trees.count(params["head"]["pooler"]) == WITH_POOLER[name]


@pytest.mark.parametrize("name", TRUNK)
def test_size_of_trunk(name):
    assert trees.count(shapes(build(size(name, scan=True)))["trunk"]) == TRUNK[name]


def test_transformer_of_2017_is_as_large_as_its_table_says():
    """Table 3 rounds to 65 and 213 million; the vocabulary is "about 37,000"."""
    base, big = (trees.count(shapes(build(SIZES[f"transformer_{name}"]))) for name in ("base", "big"))
    assert abs(base - 65e6) < 2e6
    assert abs(big - 213e6) < 2e6


def test_a_scan_has_the_same_parameters():
    """The sizes above are counted with one, which is quicker."""
    for name in ("gpt2_small", "t5_small", "bert_base"):
        assert trees.count(shapes(build(size(name, scan=True)))) == trees.count(shapes(build(SIZES[name])))
