# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The same pure step on many devices: by `jit` over a mesh, or by `pmap`. The loop does not know which it got.

Either way the state is one global array per leaf, replicated over the devices, and the rows of a batch are divided
among them. Under `pmap` each device draws its own dropout; under `jit` the masks are those of a single device.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from seqjax.config import require_choice
from seqjax.errors import UserError
from seqjax.types import Batch

AXIS = "data"


@dataclasses.dataclass(frozen=True)
class Parallel:
    """How the work is divided."""

    shorthand: ClassVar[str] = "backend"

    backend: str = "jit"  # "jit" (over a mesh) or "pmap"
    devices: int = 0  # use the first so many devices (0: all)

    def __post_init__(self) -> None:
        require_choice(self, "parallel", {"backend": ("jit", "pmap")})
        if self.devices < 0:
            raise UserError(f"parallel.devices={self.devices} must be at least 0")


class Devices:
    """The devices of a run, and the ways to put data on them and functions over them."""

    def __init__(self, config: Parallel):
        """Raises UserError where fewer devices are there than asked for."""
        if config.devices > jax.device_count():
            raise UserError(f"parallel.devices={config.devices}, but there are {jax.device_count()} devices here")
        self.devices = jax.devices()[: config.devices or None]
        self.pmap = config.backend == "pmap"
        self.mesh = Mesh(np.array(self.devices), (AXIS,), axis_types=(AxisType.Auto,))
        self.replicated = NamedSharding(self.mesh, PartitionSpec())

    def __len__(self) -> int:
        return len(self.devices)

    def check(self, batches: Sequence[tuple[str, int]], accumulate: int, group: int = 1) -> None:
        """Raises UserError where a batch does not divide among devices and micro-batches, in whole groups.

        Args:
          batches: the setting that says so, and rows, of each size of batch; see `Data.batches`.
          accumulate: micro-batches of an update.
          group: of the objective, see `Objective`.
        """
        parts = f"{len(self)} devices" + (f" x run.accumulate={accumulate}" if accumulate > 1 else "")
        parts += f" in groups of {group} (objective.group)" if group > 1 else ""
        for name, rows in batches:
            if rows % (len(self) * accumulate * group):
                what = f"{name}={rows}" if name == "data.batch" else f"{name}: a batch of {rows} rows"
                cure = "data.multiple" if name == "data.places" else name
                raise UserError(f"{what} does not divide among {parts}; change {cure} or parallel.devices")

    def put(self, batch: Mapping[str, np.ndarray]) -> Batch:
        """Returns this host's rows as `spread` functions take them: divided among the devices."""
        if self.pmap:
            local = len(self.mesh.local_devices)
            return {name: x.reshape(local, x.shape[0] // local, *x.shape[1:]) for name, x in batch.items()}
        sharding = NamedSharding(self.mesh, PartitionSpec(AXIS))
        return {name: jax.make_array_from_process_local_data(sharding, x) for name, x in batch.items()}

    def replicate(self, tree: Any) -> Any:
        """Returns a tree with a copy on every device. A true copy: donating it must not delete what was given."""
        return jax.jit(lambda tree: jax.tree.map(jnp.copy, tree), out_shardings=self.replicated)(tree)

    def spread(self, function: Callable[..., Any], donate: bool = False) -> Callable[..., Any]:
        """Returns `function(state, batch, key, reduce=...)` compiled as a function of (state, batch, key).

        The state and the key are the same everywhere, the batch is divided, and the results are the same everywhere
        because `function` sums over devices with `reduce` wherever it sums over rows.

        Args:
          function: pure; takes a tree, a batch, a key or None.
          donate: give the state's memory to the result.
        """
        donated = (0,) if donate else ()
        if not self.pmap:
            return jax.jit(function, out_shardings=self.replicated, donate_argnums=donated)

        def per_device(state: Any, batch: Batch, key: jax.Array | None) -> Any:
            if key is not None:
                key = jax.random.fold_in(key, jax.lax.axis_index(AXIS))
            return function(state, batch, key, reduce=functools.partial(jax.lax.psum, axis_name=AXIS))

        return jax.pmap(
            per_device, AXIS, in_axes=(None, 0, None), out_axes=None, devices=self.devices, donate_argnums=donated
        )
