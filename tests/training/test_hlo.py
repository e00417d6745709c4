# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is read from a compiled program, against programs whose traffic is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from seqjax.models import kernels
from seqjax.models.model import build, shapes, training_flops
from seqjax.objectives.clm import CLM
from seqjax.training.chips import CHIPS, roofline
from seqjax.training.hlo import collectives, product_flops
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.step import gradients
from tests.training.test_mesh import GPT

MESH = Mesh(np.array(jax.devices()).reshape(2, 4), ("rows", "columns"), axis_types=(AxisType.Auto,) * 2)


def sent(function, *shapes):
    """Of a function that runs on each of the 2 x 4 devices."""
    spread = jax.shard_map(function, mesh=MESH, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False)
    where = NamedSharding(MESH, PartitionSpec())
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32, sharding=where) for shape in shapes]
    return collectives(jax.jit(spread).lower(*inputs).compile().as_text(), 8)


def test_a_sum_over_all_devices_in_a_loop():
    """Five times 64 floats, of which a ring of 8 sends 7/8, there and back."""

    def body(x, _):
        return jax.lax.psum(jnp.sin(x), ("rows", "columns")), None

    found = sent(lambda x: jax.lax.scan(body, x, length=5)[0], (16, 4))
    assert found == {"all-reduce": {"count": 5, "bytes": 5 * 2 * 7 / 8 * 64 * 4}}


def test_a_loop_in_a_loop():
    def inner(x, _):
        return jax.lax.ppermute(jnp.sin(x), "rows", [(0, 1), (1, 0)]), None

    def outer(x, _):
        return jax.lax.scan(inner, x, length=3)[0] + 1.0, None

    found = sent(lambda x: jax.lax.scan(outer, x, length=4)[0], (16, 4))
    assert found == {"collective-permute": {"count": 12, "bytes": 12 * 64 * 4}}


def test_gather_and_scatter_among_four():
    """An array of 64 floats, of which each of 4 sends 3/4, whether it is gathered or scattered."""
    gathered = sent(lambda x: jax.lax.all_gather(jnp.sin(x), "columns"), (16,))
    assert gathered == {"all-gather": {"count": 1, "bytes": 3 / 4 * 64 * 4}}
    scattered = sent(lambda x: jax.lax.psum_scatter(jnp.sin(x), "columns", tiled=True), (64,))
    assert scattered == {"reduce-scatter": {"count": 1, "bytes": 3 / 4 * 64 * 4}}


TPU = """
%all-reduce-scatter.1 (input.2: f32[512,512]) -> f32[256,512] {
  %all-reduce.5 = f32[512,512]{1,0:T(8,128)} all-reduce(%input.2), channel_id=5, replica_groups={{0,1},{2,3}}, to_apply=%add
  ROOT %dynamic-slice.21 = f32[256,512]{1,0} dynamic-slice(%all-reduce.5, %multiply.5), dynamic_slice_sizes={256,512}
}

%region_1.2 (wide.param.1: (s32[], f32[16,512])) -> pred[] {
  %constant.54 = s32[]{:T(128)} constant(6)
  ROOT %lt.10 = pred[]{:T(512)} compare(%get-tuple-element.159, %constant.54), direction=LT
}

%region_0.1 (wide.param.1: (s32[], f32[16,512])) -> (s32[], f32[16,512]) {
  %all-gather.17 = bf16[1,512,512]{2,1,0:T(8,128)(2,1)S(1)} all-gather(%fusion.2), replica_groups=mesh['axis_0'=2,'axis_1'=1,'axis_2'=2], device_ids=([2,2]T(1,0)) {'axis_0'}, dimensions={1}
  %fusion.39 = f32[256,512]{1,0:T(8,128)S(1)} fusion(%fusion.38), kind=kCustom, calls=%all-reduce-scatter.1
}

ENTRY %main.5 (param.4: f32[6,256,512]) -> f32[6,256,512] {
  %while.26 = (s32[]{:T(128)}, f32[16,512]{1,0}) while(%tuple.56), condition=%region_1.2, body=%region_0.1
  %permute = (f32[4,8]{1,0}, f32[4,8]{1,0}, u32[]{:S(2)}) collective-permute-start(%x), source_target_pairs={{0,1}}
}
"""


@pytest.mark.parametrize("counter", ["s32", "u32"])  # of a scan, and of a product whose operands go round a ring
def test_as_the_compiler_of_tpus_writes_it(counter):
    """Groups by axes, a reduce-scatter as a fusion, a trip count in the condition, an operation in two halves."""
    text = TPU.replace("s32[]{:T(128)} constant", f"{counter}[]{{:T(128)}} constant")
    assert collectives(text, 4) == {
        "all-gather": {"count": 6, "bytes": 6 * 512 * 512 * 2 / 2},
        "reduce-scatter": {"count": 6, "bytes": 6 * 512 * 512 * 4 / 2},
        "collective-permute": {"count": 1, "bytes": 4 * 8 * 4},
    }


def test_a_loop_without_an_end_is_not_guessed():
    with pytest.raises(ValueError, match="does not say how often it runs"):
        collectives(TPU.replace("constant(6)", "parameter(0)"), 4)


def test_traced_products_are_the_analytic_count():
    """Of a step without rematerialisation: forward, and twice that backward; the products of a GPT are all that counts."""
    model, objective = build(GPT), CLM()
    batch = {
        name: jax.ShapeDtypeStruct((8, 32), jnp.float32 if name == "weights" else jnp.int32)
        for name in ("tokens", "targets", "segments", "positions", "weights")
    }
    step = lambda params, batch: gradients(params, batch, None, apply=model.apply, objective=objective)  # noqa: E731
    traced = product_flops(jax.make_jaxpr(step)(shapes(model), batch))
    assert traced == training_flops(GPT, 8, 32, 32)


def test_the_slowest_of_three():
    found = roofline(CHIPS["v5e"], flops=197e12, hbm_bytes=2 * 819e9, ici_bytes=50e9)
    assert found == {"compute": 1.0, "hbm": 2.0, "ici": 0.25}
    assert roofline(CHIPS["v4"].part(2), 275e12, 0, 0)["compute"] == 2.0


def test_flops_of_a_kernel_on_two_devices():
    """Half of two products of every query with every key, in blocks, of rows that two devices divide."""
    devices = Devices(Parallel("jit", 2))
    q = jnp.zeros((4, 256, 2, 64))

    def read(state, batch, key):
        return {"y": kernels.splash(batch["q"], batch["q"], batch["q"], None, 1.0, interpret=True)}

    traced = devices.spread(read).trace({}, devices.put_shapes({"q": q}), None)
    assert product_flops(traced.jaxpr) == 2 * 4 * 2 * 256 * 256 * 64
