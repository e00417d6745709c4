# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The same pure step on many devices: by `jit`, by `jit` over a mesh, or by `pmap`. The loop knows not which it got.

"jit" and "pmap" keep the whole state on every device and divide the rows of a batch. "mesh" divides the state too, as
`seqjax.training.layout` says. Under `pmap` each device draws its own dropout; else the masks are those of a single
device.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.constrain import Places, placing
from seqjax.training import layout
from seqjax.types import Batch, Params

AXIS = "data"


@dataclasses.dataclass(frozen=True)
class Parallel:
    """How the work is divided. On a mesh data * fsdp * tensor * sequence are the devices."""

    shorthand: ClassVar[str] = "backend"

    backend: str = "jit"  # "jit", "mesh" or "pmap"
    devices: int = 0  # use the first so many devices (0: all)
    data: int = 0  # mesh: parts of a batch whose devices each hold the state (0: what the other axes leave)
    fsdp: int = 1  # mesh: parts of a batch among which the state is divided too (Rajbhandari et al. 2020, ZeRO-3)
    tensor: int = 1  # mesh: parts of heads, feed-forward width and vocabulary (Shoeybi et al. 2019)
    sequence: int = 1  # mesh: parts of each row's places; keys and values are gathered

    def __post_init__(self) -> None:
        require_choice(self, "parallel", {"backend": ("jit", "mesh", "pmap")})
        require(self, "parallel", ("devices", "data"), 0)
        require(self, "parallel", ("fsdp", "tensor", "sequence"), 1)
        if self.backend != "mesh" and (self.data, self.fsdp, self.tensor, self.sequence) != (0, 1, 1, 1):
            raise UserError("parallel.data, fsdp, tensor and sequence are axes of a mesh; set parallel=mesh")

    def sizes(self, devices: int) -> dict[str, int]:
        """Returns how many of so many devices lie along each axis of the mesh.

        Raises:
          UserError: the axes do not multiply to the devices.
        """
        others = self.fsdp * self.tensor * self.sequence
        data = self.data or max(devices // others, 1)
        if data * others != devices:
            axes = f"{self.data or 'data'} x {self.fsdp} x {self.tensor} x {self.sequence}"
            raise UserError(
                f"parallel: a mesh of {axes} does not fill {devices} devices; change an axis or parallel.devices"
            )
        return dict(zip(layout.AXES, (data, self.fsdp, self.tensor, self.sequence), strict=True))

    def here(self, devices: int) -> "Parallel":
        """Returns this where it fits so many devices, else jit on all of them: to score a run elsewhere than it ran."""
        used = self.devices or devices
        axes = (self.data or 1) * self.fsdp * self.tensor * self.sequence
        fits = used <= devices and (used == axes if self.data else used % axes == 0)
        return self if fits else Parallel()


class Devices:
    """The devices of a run, and the ways to put data on them and functions over them."""

    def __init__(self, config: Parallel, devices: Sequence[jax.Device] | None = None):
        """Takes the devices that are here, or others (of a topology that one compiles for).

        Raises:
          UserError: fewer devices are there than asked for, or they do not fill the mesh.
        """
        available = jax.devices() if devices is None else list(devices)
        if config.devices > len(available):
            raise UserError(f"parallel.devices={config.devices}, but there are {len(available)} devices here")
        self.devices = available[: config.devices or None]
        self.pmap, self.divides = config.backend == "pmap", config.backend == "mesh"
        self.sizes = config.sizes(len(self.devices))
        # What pmap returns lies on a mesh of one axis: a state on any other would make the second update compile anew.
        axes = {AXIS: len(self.devices)} if self.pmap else self.sizes
        grid = np.array(self.devices).reshape(tuple(axes.values()))
        self.mesh = Mesh(grid, tuple(axes), axis_types=(AxisType.Auto,) * len(axes))
        self.replicated = NamedSharding(self.mesh, PartitionSpec())
        self.rows = NamedSharding(self.mesh, PartitionSpec(AXIS if self.pmap else layout.ROWS))

    def __len__(self) -> int:
        return len(self.devices)

    @property
    def parts(self) -> int:
        """Into how many the rows of a batch are divided."""
        return layout.ways(layout.ROWS, self.sizes)

    @functools.cached_property
    def share(self) -> tuple[int, int]:
        """Which share of the rows of a batch the devices of this process take, and how many shares there are.

        Processes have the same share where the mesh divides something else among them.

        Raises:
          UserError: this process has none of the devices, or the shares of processes overlap.
        """
        of = np.vectorize(lambda device: device.process_index)(self.mesh.devices).reshape(self.parts, -1)
        mine = np.flatnonzero((of == jax.process_index()).any(1))
        if not len(mine):
            raise UserError(f"parallel.devices={len(self)} leaves a process without a device; use those of all")
        number, rest = divmod(int(mine[0]), len(mine))
        if rest or self.parts % len(mine) or mine[-1] - mine[0] + 1 != len(mine):
            raise UserError(
                f"parallel: {self.parts} parts of a batch do not divide among the processes; change parallel.data"
            )
        return number, self.parts // len(mine)

    def check(self, batches: Sequence[tuple[str, int]], accumulate: int, group: int = 1) -> None:
        """Raises UserError where a batch does not divide among devices and micro-batches, in whole groups.

        Args:
          batches: the setting that says so, and rows, of each size of batch; see `Data.batches`.
          accumulate: micro-batches of an update.
          group: of the objective, see `Objective`.
        """
        parts = f"{self.parts} devices" + (f" x run.accumulate={accumulate}" if accumulate > 1 else "")
        parts += f" in groups of {group} (objective.group)" if group > 1 else ""
        for name, rows in batches:
            if rows % (self.parts * accumulate * group):
                what = f"{name}={rows}" if name == "data.batch" else f"{name}: a batch of {rows} rows"
                cure = "data.multiple" if name == "data.places" else name
                raise UserError(f"{what} does not divide among {parts}; change {cure} or parallel.devices")

    def cover(self, params: Params) -> None:
        """Raises UserError where these parameters, or their shapes, cannot lie on the mesh as its table says."""
        if self.divides:
            layout.cover(params, self.sizes)

    def put(self, batch: Mapping[str, np.ndarray]) -> Batch:
        """Returns this process's `share` of a batch as `spread` functions take it: divided among the devices."""
        if self.pmap:
            local = len(self.mesh.local_devices)
            return {name: x.reshape(local, x.shape[0] // local, *x.shape[1:]) for name, x in batch.items()}
        shares = self.share[1]
        return {
            name: jax.make_array_from_process_local_data(self.rows, x, (x.shape[0] * shares, *x.shape[1:]))
            for name, x in batch.items()
        }

    def put_whole(self, batch: Mapping[str, np.ndarray]) -> Batch:
        """Returns what `put` does, of a batch that every process has whole."""
        number, shares = self.share
        rows = {name: x.shape[0] // shares for name, x in batch.items()}
        return self.put({name: x[number * rows[name] : (number + 1) * rows[name]] for name, x in batch.items()})

    def put_shapes(self, batch: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, jax.ShapeDtypeStruct]:
        """Returns the shapes of what `put` gives, on one host."""
        if self.pmap:
            return {
                name: jax.ShapeDtypeStruct((len(self), x.shape[0] // len(self), *x.shape[1:]), x.dtype)
                for name, x in batch.items()
            }
        return {name: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self.rows) for name, x in batch.items()}

    def shardings(self, tree: Any) -> Any:
        """Returns where each leaf lies of a tree of parameters, of what an optimiser keeps of them, or of neither."""

        def of(keys: tuple[Any, ...], leaf: Any) -> NamedSharding:
            parts = layout.spec(layout.path_of(keys), leaf.shape, self.sizes) if self.divides else None
            return self.replicated if parts is None else NamedSharding(self.mesh, parts)

        return jax.tree_util.tree_map_with_path(of, tree)

    def shaped(self, tree: Any) -> Any:
        """Returns the shapes of a tree, each with where it lies."""
        return jax.tree.map(
            lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), tree, self.shardings(tree)
        )

    def create(self, function: Callable[..., Any], *args: Any) -> Any:
        """Returns function(*args) laid out over the devices; on a mesh no device ever holds the whole of it."""
        if not self.divides:
            return self.replicate(function(*args))
        return jax.jit(function, out_shardings=self.shardings(jax.eval_shape(function, *args)))(*args)

    def replicate(self, tree: Any) -> Any:
        """Returns a tree with a copy on every device. A true copy: donating it must not delete what was given."""
        return jax.jit(lambda tree: jax.tree.map(jnp.copy, tree), out_shardings=self.replicated)(tree)

    def whole(self, tree: Any) -> Any:
        """Returns the same arrays as ones of all processes, for under `pmap` each process has arrays of its own."""
        if not self.pmap or jax.process_count() == 1:
            return tree

        def join(x: jax.Array) -> jax.Array:
            parts = [shard.data for shard in x.addressable_shards]
            return jax.make_array_from_single_device_arrays(x.shape, self.replicated, parts)

        return jax.tree.map(lambda x: join(x) if x.is_fully_addressable else x, tree)

    def spread(self, function: Callable[..., Any], donate: bool = False, rows: bool = False) -> Callable[..., Any]:
        """Returns `function(state, batch, key, reduce=...)` compiled as a function of (state, batch, key).

        The state lies as `shardings` says, the key is the same everywhere, the batch is divided, and the results lie
        as `shardings` says because `function` sums over devices with `reduce` wherever it sums over rows.

        Args:
          function: pure; takes a tree, a batch, a key or None.
          donate: give the state's memory to the result.
          rows: `function` takes no `reduce`, and what it gives has a row for each of the batch; all are everywhere.
        """
        donated = (0,) if donate else ()
        if self.divides:
            return jax.jit(self._placed(self._laid_out(function)), donate_argnums=donated)
        if not self.pmap:
            return jax.jit(self._placed(function), out_shardings=self.replicated, donate_argnums=donated)

        def per_device(state: Any, batch: Batch, key: jax.Array | None) -> Any:
            if key is not None:
                key = jax.random.fold_in(key, jax.lax.axis_index(AXIS))
            if rows:
                return jax.lax.all_gather(function(state, batch, key), AXIS, tiled=True)
            return function(state, batch, key, reduce=functools.partial(jax.lax.psum, axis_name=AXIS))

        return jax.pmap(
            self._placed(per_device), AXIS, in_axes=(None, 0, None), out_axes=None, devices=self.devices,
            donate_argnums=donated,
        )  # fmt: skip

    def _placed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a function which is traced knowing these devices, under its own name."""
        places = Places(self.devices[0].platform)
        if not self.pmap:
            places = dataclasses.replace(places, each=self._each)
        if self.divides:
            parts = {letter: layout.ways(axes, self.sizes) for letter, axes in layout.LETTERS.items()}
            places = dataclasses.replace(places, put=self._put, parts=parts)

        def placed(state: Any, batch: Batch, key: jax.Array | None) -> Any:
            with placing(places):
                return function(state, batch, key)

        placed.__name__ = _name(function)
        return placed

    def _laid_out(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a function whose state and results lie on the mesh as `shardings` says, under its own name."""

        def laid_out(state: Any, batch: Batch, key: jax.Array | None) -> Any:
            out = function(jax.lax.with_sharding_constraint(state, self.shardings(state)), batch, key)
            return jax.lax.with_sharding_constraint(out, self.shardings(out))

        laid_out.__name__ = _name(function)
        return laid_out

    def _put(self, x: jax.Array, letters: str) -> jax.Array:
        parts = layout.letters_spec(x.shape, letters, self.sizes)
        return jax.lax.with_sharding_constraint(x, NamedSharding(self.mesh, parts))

    def _each(self, function: Callable[..., jax.Array], inputs: Sequence[str], output: str) -> Callable[..., jax.Array]:
        if len(self) == 1:
            return function

        def parts(letters: str) -> PartitionSpec:
            return PartitionSpec(*(layout.LETTERS.get(letter) for letter in letters))

        specs = tuple(parts(letters) for letters in inputs)
        return jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=parts(output), check_vma=False)


def _name(function: Callable[..., Any]) -> str:
    """Returns what a function is called, also one whose arguments `functools.partial` has settled in part."""
    name: str = getattr(function, "func", function).__name__
    return name
