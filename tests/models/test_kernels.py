# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Every kernel reads what plain attention reads, values and gradients; which one it is follows from the case alone."""

import dataclasses
import functools
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.cudnn import fused_attention_stablehlo

from seqjax.errors import UserError
from seqjax.models import kernels
from seqjax.models.attention import attend
from seqjax.models.constrain import Places, placing
from seqjax.models.deberta import DebertaConfig
from seqjax.models.kernels import Case, choose
from seqjax.models.masks import Mask
from seqjax.models.model import build, initialise
from seqjax.models.transformer_config import TransformerConfig
from seqjax.training.parallel import Devices, Parallel

TPU = Case("tpu", 1024, 1024, 64, "bfloat16")
GPU, CPU = dataclasses.replace(TPU, platform="gpu"), dataclasses.replace(TPU, platform="cpu")


@pytest.mark.parametrize(
    ("case", "chosen", "reason"),
    [
        (TPU, "splash", ""),
        (dataclasses.replace(TPU, keys=128), "splash", ""),
        (dataclasses.replace(TPU, dtype="float32"), "splash", ""),
        (dataclasses.replace(TPU, bias=True), "chunked", "bias"),
        (dataclasses.replace(TPU, dropout=True), "chunked", "dropout"),
        (dataclasses.replace(TPU, queries=1000), "plain", "128"),
        (dataclasses.replace(TPU, queries=1, described=False), "plain", "cache"),
        (dataclasses.replace(TPU, parts=8), "plain", "sequence"),
        (dataclasses.replace(TPU, parts=8, queries=4096, keys=4096), "chunked", "sequence"),
        (dataclasses.replace(TPU, alone=False), "chunked", "parallel"),
        (GPU, "cudnn", ""),
        (dataclasses.replace(GPU, queries=30, keys=30), "cudnn", ""),
        (dataclasses.replace(GPU, queries=31), "plain", "even"),
        (dataclasses.replace(GPU, dtype="float32"), "chunked", "bfloat16"),
        (dataclasses.replace(GPU, head_width=256), "chunked", "heads"),
        (CPU, "chunked", "CPU"),
        (dataclasses.replace(CPU, queries=512), "plain", "CPU"),
    ],
)
def test_the_choice_is_a_function_of_the_case(case, chosen, reason):
    assert choose(case) == chosen
    assert choose(case, "plain") == "plain"
    own = "cudnn" if case.platform == "gpu" else "splash"
    if not reason:
        assert choose(case, own) == own
        return
    with pytest.raises(UserError, match=f"model.attention_kernel={own} .*{reason}.*; set model.attention_kernel=auto"):
        choose(case, own)


def test_a_choice_is_logged_once(caplog, monkeypatch):
    logger = logging.getLogger("seqjax")
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    monkeypatch.setattr(logger, "propagate", False)
    caplog.set_level(logging.INFO, "seqjax")
    case = dataclasses.replace(TPU, bias=True, queries=1111)
    for _ in range(2):
        kernels.announce("chunked", case)
    kernels.announce("plain", dataclasses.replace(CPU, queries=3))
    said = "attention of 1111 queries to 1024 keys on tpu: chunked; splash takes no bias on scores"
    assert [record.getMessage() for record in caplog.records] == [said]


def inputs(rng, length, keys=None, heads=4, kv_heads=2, width=8):
    """Queries, keys and values of two packed rows with padding at one's end, and which queries are real."""
    keys = keys or length
    q = rng.normal(size=(2, length, heads, width)).astype(np.float32)
    k, v = rng.normal(size=(2, 2, keys, kv_heads, width)).astype(np.float32)
    segments = [np.ones((2, size), np.int32) for size in (length, keys)]
    for each in segments:
        each[0, 70:] = 2
        each[1, -9:] = 0
    return (q, k, v), *(jnp.asarray(each) for each in segments)


def same(read, expected, args, real, atol=1e-5):
    """Asserts that two functions of q, k, v agree at real queries, and in the gradients of what is read there."""
    weights = jnp.asarray(np.random.default_rng(1).normal(size=args[0].shape), jnp.float32) * real[:, :, None, None]

    def of(function):
        value, gradients = jax.value_and_grad(lambda args: jnp.sum(function(*args) * weights))(args)
        return function(*args) * real[:, :, None, None], gradients, value

    for ours, theirs in zip(jax.tree.leaves(of(read)), jax.tree.leaves(of(expected)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=atol, rtol=1e-5)


@pytest.mark.parametrize("what", ["both ways", "causal", "prefix", "cache", "array", "biased", "biased by head"])
def test_chunked_is_plain(rng, what):
    args, queries, keys = inputs(rng, 300)
    mask = Mask(queries, keys, causal=what != "both ways")
    bias = None
    if what == "prefix":
        mask = dataclasses.replace(mask, prefix_BS=(jnp.arange(300) < 40)[None].repeat(2, 0).astype(jnp.int32))
    elif what == "cache":
        args, queries, keys = inputs(rng, 300, 350)
        mask = Mask(queries, keys, True, jnp.asarray(50))
    elif what == "array":
        mask = mask.rows(0, 300)
    elif "biased" in what:
        bias = rng.normal(size=(1, 4 if "head" in what else 1, 300, 300)).astype(np.float32)
    read = functools.partial(attend, bias=bias, mask=mask)
    same(functools.partial(read, kernel="chunked"), functools.partial(read, kernel="plain"), args, queries > 0)


@pytest.mark.parametrize("what", ["both ways", "causal", "cache", "biased by head"])
def test_chunked_reads_rows_that_lie_in_parts(rng, what):
    """Two of 300 queries each: 256 of both, then the rest."""
    args, queries, keys = inputs(rng, 600, 650 if what == "cache" else None)
    mask = Mask(queries, keys, what != "both ways", jnp.asarray(50) if what == "cache" else None)
    bias = rng.normal(size=(1, 4, 600, 600)).astype(np.float32) if what == "biased by head" else None
    read = functools.partial(attend, bias=bias, mask=mask)

    def parted(*args):
        with placing(Places("cpu", parts={"L": 2})):
            return read(*args, kernel="chunked")

    same(parted, functools.partial(read, kernel="plain"), args, queries > 0)


def test_chunked_drops_as_often_as_plain():
    q = k = jnp.zeros((1, 512, 2, 8))
    v = jnp.ones((1, 512, 2, 8))
    y = attend(q, k, v, dropout_key=jax.random.key(0), dropout=0.25, kernel="chunked")
    np.testing.assert_allclose(y.mean(), 1.0, atol=0.01)
    assert 0.5 < y.std() / np.sqrt(0.25 / 0.75 / 512) < 2
    assert not np.allclose(y[:, :256], y[:, 256:])  # each part drops others


def test_chunked_holds_one_part(rng):
    """Temporaries of the gradient, of what the compiler plans."""
    args, queries, keys = inputs(rng, 2048)
    mask = Mask(queries, keys, causal=True)

    def temporaries(kernel):
        loss = lambda q, k, v: jnp.sum(attend(q, k, v, None, mask, kernel=kernel))  # noqa: E731
        plan = jax.jit(jax.grad(loss, (0, 1, 2))).lower(*args).compile().memory_analysis()
        return plan.temp_size_in_bytes

    assert temporaries("chunked") < temporaries("plain") / 4


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("kv_heads", "length"), [(4, 128), (2, 128), (4, 384)])
def test_splash_is_plain(rng, causal, kv_heads, length):
    """Also of three blocks along each axis."""
    args, queries, keys = inputs(rng, length, kv_heads=kv_heads)
    mask = Mask(queries, keys, causal)
    read = functools.partial(kernels.splash, mask=mask, scale=0.3, interpret=True)
    same(read, functools.partial(attend, mask=mask, scale=0.3, kernel="plain"), args, queries > 0)


def test_splash_of_other_lengths_and_no_mask(rng):
    args, queries, _ = inputs(rng, 128, 256)
    read = functools.partial(kernels.splash, mask=None, scale=0.3, interpret=True)
    same(read, functools.partial(attend, scale=0.3, kernel="plain"), args, jnp.ones_like(queries))


@pytest.mark.parametrize("parallel", [Parallel("mesh", fsdp=2, tensor=2), Parallel("jit", 2)], ids=["mesh", "jit"])
def test_splash_is_divided_among_devices(rng, parallel):
    (q, k, v), queries, keys = inputs(rng, 128)
    batch = {name: np.concatenate([x, x]) for name, x in zip("qkvs", (q, k, v, queries), strict=True)}

    def read(state, batch, key):
        mask = Mask(batch["s"], batch["s"], causal=True)
        return {"y": kernels.splash(batch["q"], batch["k"], batch["v"], mask, 0.3, interpret=True)}

    devices = Devices(parallel)
    spread = devices.spread(read)
    got = spread({}, devices.put(batch), None)["y"]
    expected = attend(q, k, v, None, Mask(queries, keys, causal=True), scale=0.3, kernel="plain")
    np.testing.assert_allclose(got[:2, :-9], expected[:, :-9], atol=1e-5)
    assert "shard_map" in str(spread.trace({}, devices.put(batch), None).jaxpr)


@pytest.mark.parametrize("causal", [True, False])
def test_cudnn_is_asked_for_the_same(rng, causal, monkeypatch):
    """What cuDNN is told, by JAX's own program in its place: no GPU is here."""
    args, queries, keys = inputs(rng, 64)
    mask = Mask(queries, keys, causal)
    reference = jax.nn.dot_product_attention
    monkeypatch.setattr(jax.nn, "dot_product_attention", lambda *args, implementation, **rest: reference(*args, **rest))
    read = functools.partial(kernels.cudnn, mask=mask, scale=0.3)
    same(read, functools.partial(attend, mask=mask, scale=0.3, kernel="plain"), args, queries > 0)


def test_cudnn_is_exported_for_cuda(rng, monkeypatch):
    """The gradient's program calls cuDNN's kernels, forward and backward, and holds no scores."""
    monkeypatch.setattr(fused_attention_stablehlo, "check_cudnn_version", lambda: 91200)
    monkeypatch.setattr(fused_attention_stablehlo, "check_compute_capability", lambda capability: True)
    args, queries, keys = inputs(rng, 128)
    bfloats = [jnp.asarray(x, jnp.bfloat16) for x in args]
    mask = Mask(queries, keys, causal=True)
    with placing(Places("gpu")):
        loss = jax.jit(jax.grad(lambda q, k, v: jnp.sum(attend(q, k, v, None, mask)), (0, 1, 2)))
        program = loss.trace(*bfloats).lower(lowering_platforms=("cuda",)).as_text()
    assert "__cudnn$fmha" in program and "Backward" in program
    assert "2x4x128x128xf32" not in program


GPT = TransformerConfig(
    vocab_size=50, layers=2, width=16, heads=2, mlp_width=16, dropout=0.0, positions="rotary", init_std=0.4
)
FAMILIES = {
    "gpt": GPT,
    "gpt, scanned, recomputed": dataclasses.replace(GPT, scan=True, remat="dots"),
    "t5": dataclasses.replace(GPT, positions="relative", decoder_layers=2, scan=True),
    "deberta": DebertaConfig(
        vocab_size=50, layers=2, width=16, heads=2, mlp_width=16, dropout=0.0, max_length=300, relative_buckets=8,
        share_position_keys=True, init_std=0.4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_reads_the_same_by_chunks(family, rng):
    tokens = rng.integers(0, 50, (2, 300))
    segments = np.ones((2, 300), np.int32)
    segments[0, 200:], segments[1, :20] = 2, 0
    sources = {"source_BS": tokens[:, ::-1]} if family == "t5" else {}
    weights = rng.normal(size=(2, 300, 16)).astype(np.float32) * (segments > 0)[:, :, None]

    def of(kernel):
        model = build(dataclasses.replace(FAMILIES[family], attention_kernel=kernel))
        params = initialise(model, jax.random.key(0))

        def loss(params):
            states = model.apply({"params": params}, tokens, segments_BL=segments, **sources, method="hidden")[0]
            return jnp.sum(states * weights)

        return jax.jit(jax.value_and_grad(loss))(params)

    for ours, theirs in zip(jax.tree.leaves(of("chunked")), jax.tree.leaves(of("plain")), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4)


def test_a_kernel_that_cannot_is_refused(rng):
    """By a call on rows; what makes parameters and what decodes choose their own."""
    model = build(dataclasses.replace(GPT, attention_kernel="splash"))
    params, tokens = initialise(model, jax.random.key(0)), rng.integers(0, 50, (1, 4))
    with pytest.raises(UserError, match="splash is for TPUs, and this is a CPU"):
        model.apply({"params": params}, tokens)
    model.apply({"params": params}, tokens, carry=model.initial_carry(1, 4))
