# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""DeBERTa v1, v2 and v3 give what `transformers` gives with the same weights: attention, states, logits, gradients."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

from seqjax import interop, trees
from seqjax.interop.deberta import join_projections, name_table, split_projections
from seqjax.models.deberta import SIZES, Deberta, DebertaConfig
from seqjax.models.disentangled import DisentangledAttention, log_buckets, relative_rows
from seqjax.models.heads import VocabularyHead
from seqjax.models.masks import Mask
from seqjax.models.model import Model, shapes

# Row 0 is full, row 1 padded on the right, row 2 on the left.
SEGMENTS = np.array([[1] * 14, [1] * 9 + [0] * 5, [0] * 4 + [1] * 10])
TOKENS = np.random.default_rng(0).integers(0, 41, SEGMENTS.shape)
TYPES = np.random.default_rng(1).integers(0, 2, SEGMENTS.shape)
TARGETS = np.random.default_rng(2).integers(0, 41, SEGMENTS.shape)
REAL = SEGMENTS > 0

# Our settings, and how transformers calls those that have no name here.
V1 = {
    "all distances": {"layers": 2, "heads": 4},
    "short span": {"layers": 3, "heads": 2, "relative_span": 4, "legacy": False},
    "p2c": {"layers": 2, "heads": 1, "relative_span": 7, "c2p": False, "activation": "relu"},
    "c2p": {"layers": 2, "heads": 8, "relative_span": 1, "p2c": False, "legacy": False, "norm_epsilon": 1e-3},
    "biased": {"layers": 2, "heads": 4, "relative_span": 5, "position_biased_input": True, "token_types": 2},
    "narrow": {"layers": 2, "heads": 2, "embed_width": 12, "token_types": 2, "activation": "gelu_tanh"},
    "absolute": {"layers": 1, "heads": 4, "c2p": False, "p2c": False, "position_biased_input": True},
}
AS_V3 = {"relative_buckets": 4, "relative_span": 9, "relative_norm": True, "share_position_keys": True}
V2 = {
    "v3": {"layers": 3, "heads": 4, **AS_V3},
    "v3, buckets": {"layers": 2, "heads": 2, **AS_V3, "relative_buckets": 8, "relative_span": 0, "legacy": False},
    "v2": {"layers": 2, "heads": 4, **AS_V3, "conv_width": 3},
    "v2, convolution": {"layers": 1, "heads": 1, **AS_V3, "conv_width": 5, "conv_activation": "tanh"},
    "own keys": {"layers": 2, "heads": 4, **AS_V3, "share_position_keys": False, "activation": "relu"},
    "own keys, p2c": {"layers": 2, "heads": 2, "c2p": False, "relative_span": 5, "token_types": 2},
    "own keys, c2p": {"layers": 2, "heads": 8, "p2c": False, "relative_buckets": 6, "relative_span": 12},
    "shared c2p": {"layers": 2, "heads": 4, **AS_V3, "p2c": False, "relative_norm": False, "relative_buckets": 0},
    "narrow": {"layers": 2, "heads": 2, **AS_V3, "embed_width": 12, "position_biased_input": True, "conv_width": 3},
    "absolute": {"layers": 1, "heads": 4, "c2p": False, "p2c": False, "position_biased_input": True},
}
CASES = [("v1", name) for name in V1] + [("v2", name) for name in V2]
LARGEST = {}


def theirs_of(version, config, **more):
    """The transformers settings of ours."""
    c = config
    terms = [name for name in ("c2p", "p2c") if getattr(c, name)]
    settings = dict(
        vocab_size=c.vocab_size, hidden_size=c.width, num_hidden_layers=c.layers, num_attention_heads=c.heads,
        intermediate_size=c.mlp_width, hidden_act={"gelu_tanh": "gelu_pytorch_tanh"}.get(c.activation, c.activation),
        max_position_embeddings=c.max_length, type_vocab_size=c.token_types, layer_norm_eps=c.norm_epsilon,
        relative_attention=bool(terms), pos_att_type="|".join(terms) if terms else [], pad_token_id=None,
        max_relative_positions=c.relative_span or -1, position_biased_input=c.position_biased_input, **more,
    )  # fmt: skip
    if c.embed_width:
        settings["embedding_size"] = c.embed_width
    if version == "v1":
        return transformers.DebertaConfig(**settings)
    if c.conv_width:
        settings |= {"conv_kernel_size": c.conv_width, "conv_act": c.conv_activation}
    return transformers.DebertaV2Config(
        **settings,
        position_buckets=c.relative_buckets or -1,
        norm_rel_ebd="layer_norm" if c.relative_norm else "none",
        share_att_key=c.share_position_keys,
    )


class Pair:
    """A random model of theirs and ours with its weights."""

    def __init__(self, version, case):
        settings = dict((V1 if version == "v1" else V2)[case])
        self.legacy = settings.pop("legacy", True)
        c = self.config = DebertaConfig(
            vocab_size=41, width=32, mlp_width=48, max_length=16, key_bias=version == "v2", **settings
        )
        torch.manual_seed(0)
        cls = transformers.DebertaForMaskedLM if version == "v1" else transformers.DebertaV2ForMaskedLM
        self.theirs = cls(theirs_of(version, c, legacy=self.legacy)).eval()
        with torch.no_grad():  # away from the initial values: zero biases and unit scales would hide mistakes
            for p in self.theirs.parameters():
                p.add_(0.15 * torch.randn_like(p))
        self.ours = Model(
            Deberta(c),
            VocabularyHead(41, transform=True, use_bias=True, activation=c.activation, norm_epsilon=c.norm_epsilon),
        )
        self.params = self.taken({name: p.detach().numpy() for name, p in self.theirs.named_parameters()})

    def taken(self, tensors):
        """Ours of theirs; every tensor of either side has a place on the other."""
        if not self.config.key_bias:
            tensors = split_projections(tensors, self.config.heads)
        found = {}
        for ours, name, how in name_table(self.config, self.legacy):
            for i in range(self.config.layers if "{i}" in ours else 1):
                tensor = tensors.pop(name.replace("{i}", str(i)))
                found[ours.replace("{i}", str(i))] = tensor.T if how == "T" else tensor
        assert not tensors
        wanted = trees.flatten(shapes(self.ours))
        assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in wanted.items()}
        return trees.unflatten(found)

    def inputs(self):
        inputs = {"segments_BL": jnp.asarray(SEGMENTS)}
        if self.config.token_types:
            inputs["token_types_BL"] = jnp.asarray(TYPES)
        if self.config.position_biased_input:  # theirs counts padding on the left too
            inputs["positions_BL"] = jnp.tile(jnp.arange(14)[None], (3, 1))
        return inputs


@functools.cache
def pair(version, case):
    return Pair(version, case)


def close(what, ours, theirs, limit):
    largest = float(np.abs(np.asarray(ours) - theirs).max())
    LARGEST[what] = max(LARGEST.get(what, 0.0), largest)
    assert largest <= limit


@pytest.fixture(scope="module", autouse=True)
def report():
    """What was seen; shown by pytest -s."""
    yield
    print("\nlargest differences:", {name: f"{value:.1e}" for name, value in sorted(LARGEST.items())})


@pytest.mark.parametrize(("version", "case"), CASES)
def test_attention(rng, version, case):
    p = pair(version, case)
    c, encoder = p.config, p.theirs.deberta.encoder
    x = rng.normal(size=(3, 14, 32)).astype(np.float32)
    layer, states = encoder.layer[0].attention, torch.tensor(x)
    with torch.no_grad():
        relative = encoder.get_rel_embedding()
        mask = encoder.get_attention_mask(torch.tensor(SEGMENTS))
        rows = encoder.get_rel_pos(states)
        wanted = layer.output.dense(layer.self(states, mask, relative_pos=rows, rel_embeddings=relative)[0]).numpy()
    init = jax.nn.initializers.zeros
    ours = DisentangledAttention(
        c.heads, c.c2p, c.p2c, c.share_position_keys, c.key_bias, 0.0, "auto", jnp.float32, init
    )
    places = jnp.tile(jnp.arange(14)[None], (3, 1))
    out = ours.apply(
        {"params": p.params["trunk"]["layer_0"]["attention"]}, x, x,
        None if relative is None else jnp.asarray(relative.detach().numpy()),
        relative_rows(places, places, c.span, c.relative_buckets), Mask(SEGMENTS, SEGMENTS), False,
    )  # fmt: skip
    close(f"{version} attention", np.asarray(out)[REAL], wanted[REAL], 1e-5)


@pytest.mark.parametrize(("version", "case"), CASES)
def test_states_logits_and_gradients(version, case):
    p = pair(version, case)
    p.theirs.zero_grad()
    hidden = p.theirs.deberta(
        torch.tensor(TOKENS), torch.tensor(SEGMENTS), torch.tensor(TYPES)
    ).last_hidden_state.detach().numpy()  # fmt: skip
    logits = p.theirs(torch.tensor(TOKENS), torch.tensor(SEGMENTS), torch.tensor(TYPES)).logits
    real = torch.tensor(REAL)
    torch.nn.functional.cross_entropy(logits[real], torch.tensor(TARGETS)[real], reduction="sum").backward()
    wanted = p.taken({name: x.grad.numpy() for name, x in p.theirs.named_parameters()})

    def loss(params):
        logits, _ = p.ours.apply({"params": params}, jnp.asarray(TOKENS), **p.inputs())
        each = jnp.take_along_axis(jax.nn.log_softmax(logits), jnp.asarray(TARGETS)[..., None], axis=-1)[..., 0]
        return -jnp.sum(each * REAL), logits

    (_, out), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(p.params)
    states, _ = p.ours.apply({"params": p.params}, jnp.asarray(TOKENS), method="hidden", **p.inputs())
    close(f"{version} states", np.asarray(states)[REAL], hidden[REAL], 1e-4)
    close(f"{version} logits", np.asarray(out)[REAL], logits.detach().numpy()[REAL], 1e-4)
    wanted, gradient = trees.flatten(wanted), trees.flatten(gradient)
    overall = max(np.abs(x).max() for x in wanted.values())
    for name, theirs in wanted.items():
        scale = np.abs(theirs).max()
        if scale < 1e-6 * overall:  # a bias of keys that the softmax cancels: rounding on both sides
            assert "key/bias" in name
            assert np.abs(gradient[name]).max() < 1e-6 * overall
        else:
            close(f"{version} gradients", np.asarray(gradient[name]) / scale, theirs / scale, 1e-4)


@pytest.mark.parametrize("case", ["v3", "v2", "own keys"])
def test_mask_decoder_is_the_published_loop(case):
    """transformers has no mask decoder, but its v2 layers take queries of their own: the authors' loop over them."""
    p = pair("v2", case)
    encoder = p.theirs.deberta.encoder
    positions = np.random.default_rng(3).normal(size=(16, 32)).astype(np.float32)
    with torch.no_grad():
        output = p.theirs.deberta(torch.tensor(TOKENS), torch.tensor(SEGMENTS), output_hidden_states=True)
        states = output.hidden_states[-2]
        x = states + torch.tensor(positions)[:14]
        for _ in range(2):
            x = encoder.layer[-1](
                states, encoder.get_attention_mask(torch.tensor(SEGMENTS)), query_states=x,
                relative_pos=encoder.get_rel_pos(states), rel_embeddings=encoder.get_rel_embedding(),
            )[0]  # fmt: skip
    trunk = Deberta(dataclasses.replace(p.config, mask_decoder_layers=2))
    params = p.params["trunk"] | {"position": {"embedding": positions}}
    inputs = p.inputs() | {"positions_BL": jnp.tile(jnp.arange(14)[None], (3, 1))}
    ours, _ = jax.jit(trunk.apply)({"params": params}, jnp.asarray(TOKENS), **inputs)
    close("mask decoder", np.asarray(ours)[REAL], x.numpy()[REAL], 1e-4)


@pytest.mark.parametrize(
    ("count", "longest"), [(4, 6), (6, 12), (8, 40), (32, 128), (64, 1000), (256, 512), (320, 2048)]
)
def test_log_buckets(count, longest):
    """Rows of the table, also for distances beyond the longest."""
    distance = np.arange(-2 * longest, 2 * longest + 1)
    wanted = make_log_bucket_position(torch.tensor(distance), count, longest).to(torch.long).numpy()
    ours = np.asarray(log_buckets(jnp.asarray(distance), count, longest))
    row = lambda bucket: np.clip(bucket + count, 0, 2 * count - 1)  # noqa: E731
    np.testing.assert_array_equal(row(ours), row(wanted))


def test_fused_projections_come_back():
    theirs = {name: p.detach().numpy() for name, p in pair("v1", "all distances").theirs.named_parameters()}
    again = join_projections(split_projections(theirs, 4), 4)
    assert again.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_array_equal(again[name], theirs[name])


# What the released config.json files say, where it bears on the parameters.
RELEASED = {"relative_attention": True, "position_biased_input": False, "pos_att_type": "p2c|c2p", "type_vocab_size": 0}
RELEASED_V2 = RELEASED | {
    "vocab_size": 128_100, "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True,
    "max_relative_positions": -1, "max_position_embeddings": 512,
}  # fmt: skip
SHAPES = {  # hidden_size, num_hidden_layers, num_attention_heads, intermediate_size
    "deberta_base": (768, 12, 12, 3072),
    "deberta_large": (1024, 24, 16, 4096),
    "deberta_v2_xlarge": (1536, 24, 24, 6144),
    "deberta_v2_xxlarge": (1536, 48, 24, 6144),
    "deberta_v3_xsmall": (384, 12, 6, 1536),
    "deberta_v3_small": (768, 6, 12, 3072),
    "deberta_v3_base": (768, 12, 12, 3072),
    "deberta_v3_large": (1024, 24, 16, 4096),
}


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name):
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    shape = dict(zip(names, SHAPES[name], strict=True))
    conv = {"conv_kernel_size": 3, "conv_act": "gelu"} if "_v2_" in name else {}
    with torch.device("meta"):
        if "_v" in name:
            theirs = transformers.DebertaV2Model(transformers.DebertaV2Config(**RELEASED_V2, **shape, **conv))
        else:
            theirs = transformers.DebertaModel(transformers.DebertaConfig(**RELEASED, **shape))
    c = SIZES[name]
    ours = shapes(Model(Deberta(c), VocabularyHead(c.vocab_size, transform=True, use_bias=True)))
    assert trees.count(ours["trunk"]) == sum(p.numel() for p in theirs.parameters())
    assert c.heads == shape["num_attention_heads"]
    tensors = {n: tuple(p.shape) for n, p in theirs.named_parameters()}
    relative = tensors["encoder.rel_embeddings.weight"]
    assert trees.flatten(ours)["trunk/relative/embedding"].shape == relative


@pytest.mark.parametrize(("version", "case"), [("v1", "biased"), ("v1", "short span"), ("v2", "v3"), ("v2", "narrow")])
def test_checkpoints_in_and_out(version, case, tmp_path):
    """What transformers saves is read, and what is written transformers loads, to equal logits."""
    pair = Pair(version, case)
    pair.theirs.save_pretrained(tmp_path / "theirs")
    model, params, _ = interop.read(tmp_path / "theirs")
    assert model.trunk.config == pair.config
    jax.tree.map(np.testing.assert_array_equal, params, pair.params)
    interop.write(tmp_path / "ours", model.trunk.config, params, None)
    again = type(pair.theirs).from_pretrained(tmp_path / "ours").eval()
    tokens, mask = torch.tensor(TOKENS), torch.tensor(SEGMENTS)
    with torch.no_grad():
        wanted = pair.theirs(input_ids=tokens, attention_mask=mask).logits
        found = again(input_ids=tokens, attention_mask=mask).logits
    np.testing.assert_allclose(found[torch.tensor(REAL)], wanted[torch.tensor(REAL)], atol=1e-5)
