# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which program computes attention where: one choice, a pure function of platform and shapes, and the kernels.

"plain" writes all scores out, [B, N, L, S]. "chunked" holds those of some queries at a time, and computes them anew in
the backward pass; it takes any bias and dropout, anywhere. "splash" (TPU) and "cudnn" (GPU) never write scores out:
FlashAttention (Dao et al. 2022), as JAX and cuDNN have it.
"""

import dataclasses
import functools
import logging
from collections.abc import Callable

import jax
import jax.numpy as jnp

from seqjax.errors import UserError
from seqjax.models.constrain import active, parts
from seqjax.models.layers import PRODUCT
from seqjax.models.masks import Mask

NAMES = ("auto", "plain", "chunked", "cudnn", "splash")
CHUNK = 256  # queries of which "chunked" holds the scores
LARGE = 1024 * 1024  # scores of a head from which on they are not written out
OWN = {"tpu": "splash", "gpu": "cudnn"}  # the kernel that is a platform's own
LANES = 128  # TPU: what the axes of a kernel's blocks are multiples of


@dataclasses.dataclass(frozen=True)
class Case:
    """What the choice depends on.

    Attributes:
      platform: "cpu", "gpu" or "tpu".
      queries: of a row, L.
      keys: of a row, S.
      head_width: H.
      dtype: of queries and keys.
      bias: something is added to the scores.
      dropout: weights are dropped.
      described: the mask is by segments, causal or not, of whole rows, see `masks.Mask`; or there is none.
      parts: into how many a mesh divides the queries of a row.
      alone: the program's devices are known, or there is one.
    """

    platform: str
    queries: int
    keys: int
    head_width: int
    dtype: str
    bias: bool = False
    dropout: bool = False
    described: bool = True
    parts: int = 1
    alone: bool = True


def choose(case: Case, asked: str = "auto") -> str:
    """Returns the kernel for a case.

    Args:
      case: platform, shapes and what is asked of the kernel.
      asked: one of NAMES; "auto" takes the platform's own where it can, then the one that fits in memory.

    Raises:
      UserError: the kernel asked for cannot do this.
    """
    if asked != "auto":
        if reason := _refusal(asked, case):
            raise UserError(f"model.attention_kernel={asked} {reason}; set model.attention_kernel=auto")
        return asked
    own = OWN.get(case.platform)
    if own and not _refusal(own, case):
        return own
    return "chunked" if case.queries // case.parts * case.keys >= LARGE else "plain"


def case_of(q_BLNH: jax.Array, k_BSMH: jax.Array, mask: Mask | jax.Array | None, bias: bool, dropout: bool) -> Case:
    """Returns the case of a call, on the devices that its program is for."""
    places = active()
    described = mask is None or (isinstance(mask, Mask) and mask.start is None and mask.prefix_BS is None)
    return Case(
        platform=jax.default_backend() if places is None else places.platform,
        queries=q_BLNH.shape[1], keys=k_BSMH.shape[1], head_width=q_BLNH.shape[3], dtype=str(q_BLNH.dtype),
        bias=bias, dropout=dropout, described=described, parts=parts("L"),
        alone=places is not None or jax.device_count() == 1,
    )  # fmt: skip


@functools.cache
def announce(chosen: str, case: Case) -> None:
    """Logs a choice, once, wherever there was one; the logger is "seqjax"."""
    own = OWN.get(case.platform)
    if own is None and chosen == "plain":
        return
    why = f"; {own} {_refusal(own, case)}" if own not in (None, chosen) else ""
    logging.getLogger("seqjax").info(
        "attention of %d queries to %d keys on %s: %s%s", case.queries, case.keys, case.platform, chosen, why
    )


def _refusal(name: str, case: Case) -> str:
    """Returns why a kernel cannot do this, or nothing."""
    if name in ("plain", "chunked"):
        return ""
    if case.parts > 1:
        return "needs whole rows, which parallel.sequence divides"
    if OWN.get(case.platform) != name:
        platform = next(platform for platform, own in OWN.items() if own == name)
        return f"is for {platform.upper()}s, and this is a {case.platform.upper()}"
    if case.bias:
        return "takes no bias on scores"
    if case.dropout:
        return "drops no weights (model.dropout=0 does not ask it to)"
    if not case.described:
        return "takes no cache, prefix or mask of its own"
    if name == "splash":
        if not case.alone:
            return "needs seqjax.training.parallel to divide it among devices"
        if case.queries % LANES or case.keys % LANES:
            return f"needs rows of a multiple of {LANES} places"
        return ""
    if case.dtype != "bfloat16":
        return "needs model.dtype=bfloat16"
    if case.head_width % 8 or case.head_width > LANES:
        return f"needs heads of at most {LANES}, in steps of 8"
    return "needs rows of an even number of places" if case.queries % 2 or case.keys % 2 else ""


def chunked(
    read: Callable[[jax.Array | int, int], jax.Array], length: int, among: int = 1, size: int = CHUNK
) -> jax.Array:
    """Returns read(0, length), put together from `size` queries at a time (Rabe & Staats 2021, in queries alone).

    The backward pass computes each part anew, so that neither pass holds more than one. Softmax is over all keys of a
    query, as ever: the values are those of `read`, to the rounding of products of another shape.

    Args:
      read: (first query, how many) -> [B, among * how many, N, H], of each part of a row.
      length: queries in all.
      among: parts of a row that lie on different devices, each of which reads so many queries at a time.
      size: queries of each part at a time.
    """
    some = jax.checkpoint(read, prevent_cse=False, static_argnums=(1,))
    many, rest = divmod(length // among, size)
    found = []  # [B, among, queries, N, H]
    if many:
        y_CBQNH = jax.lax.map(lambda first: some(first, size), size * jnp.arange(many))
        y_BPCQNH = jnp.moveaxis(y_CBQNH.reshape(many, -1, among, size, *y_CBQNH.shape[3:]), 0, 2)
        found.append(y_BPCQNH.reshape(-1, among, many * size, *y_BPCQNH.shape[4:]))
    if rest:
        y_BQNH = some(many * size, rest)
        found.append(y_BQNH.reshape(-1, among, rest, *y_BQNH.shape[2:]))
    y_BPQNH = jnp.concatenate(found, axis=2)
    return y_BPQNH.reshape(-1, length, *y_BPQNH.shape[3:])


def splash(
    q_BLNH: jax.Array, k_BSMH: jax.Array, v_BSMH: jax.Array, mask: Mask | None, scale: float, interpret: bool = False
) -> jax.Array:
    """Returns attention by JAX's Pallas kernel, which leaves out the blocks that the mask hides.

    Each device reads its own rows and heads. Queries at padding read padding, where `attend` has them read all.

    Args:
      q_BLNH: queries.
      k_BSMH: keys.
      v_BSMH: values.
      mask: by segments, see `Case.described`.
      scale: of the scores.
      interpret: run it as JAX operations, anywhere: for tests.
    """
    if mask is None:
        mask = Mask(jnp.ones(q_BLNH.shape[:2], jnp.int32), jnp.ones(k_BSMH.shape[:2], jnp.int32))
    read, places = functools.partial(_splash, causal=mask.causal, interpret=interpret), active()
    spread = read if places is None else places.each(read, ("BLNH", "BSMH", "BSMH", "BL", "BS"), "BLNH")
    return spread(q_BLNH * jnp.asarray(scale, q_BLNH.dtype), k_BSMH, v_BSMH, mask.queries_BL, mask.keys_BS)


def _splash(
    q_BLNH: jax.Array,
    k_BSMH: jax.Array,
    v_BSMH: jax.Array,
    queries_BL: jax.Array,
    keys_BS: jax.Array,
    causal: bool,
    interpret: bool,
) -> jax.Array:
    from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_kernel, splash_attention_mask

    length, heads = q_BLNH.shape[1:3]
    shape = (length, k_BSMH.shape[1])
    q, kv = (next(block for block in (512, 256, LANES) if size % block == 0) for size in shape)
    one = splash_attention_mask.CausalMask(shape) if causal else splash_attention_mask.FullMask(shape)
    kernel = splash_attention_kernel.make_splash_mha(
        splash_attention_mask.MultiHeadMask([one] * heads), head_shards=1, q_seq_shards=1,
        block_sizes=splash_attention_kernel.BlockSizes(q, kv, kv, q, kv, kv, q, kv),
        residual_checkpoint_name=PRODUCT, interpret=interpret,
    )  # fmt: skip
    segments = splash_attention_kernel.SegmentIds(queries_BL, keys_BS)
    y_BNLH = jax.vmap(kernel)(*(x.swapaxes(1, 2) for x in (q_BLNH, k_BSMH, v_BSMH)), segments)
    return y_BNLH.swapaxes(1, 2)


def cudnn(q_BLNH: jax.Array, k_BSMH: jax.Array, v_BSMH: jax.Array, mask: Mask | None, scale: float) -> jax.Array:
    """Returns attention by cuDNN, to which segments go as a mask [B, 1, L, S]; XLA divides it among devices."""
    return jax.nn.dot_product_attention(
        q_BLNH, k_BSMH, v_BSMH, scale=scale, is_causal=mask is not None and mask.causal, implementation="cudnn",
        mask=None if mask is None else dataclasses.replace(mask, causal=False).rows(0, q_BLNH.shape[1]),
    )  # fmt: skip
