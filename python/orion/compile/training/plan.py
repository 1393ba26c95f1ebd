"""What a training step runs: programs, calls over named slots, parameters. Plain values, no device.

An executor makes memory for the slots, fills the parameters and `constants`, and for each
microbatch runs `calls` in order:

    for call in plan.calls:
        HostCall   "embed": column b*S + s of the slot "x" is the sum of rows: of the table
                   "embedding" the row of token s of sequence b, of the table "positions" row s.
                   "loss": from the slots `logits_*` the loss, and in `dlogits_*` its gradient
                   times the loss scale.
                   "unembed": the reverse of "embed": columns of "x" are added to rows of gradients.
        Call       evaluates a program: ports from slots, slots from ports.

After each call every slot `g:<key>` among its outputs is added to the gradient of the parameter,
in fp32 and divided by the loss scale; from then on the slot's memory is free. All other slots are
overwritten. `calls[:plan.forward]` end with the loss: they are what an evaluation runs.

Names of slots:

    w:<key>            parameter as programs read it         g:<key>           its gradient
    adapter:<key>      the same for parameters of adapters; a tile has :<first row> at the end
    h:<layer>          stream into a layer; the last one     d:<layer>         its gradient
                       goes into the head
    t:<layer>:<name>   tap, kept for the backward program    mask, cos, sin    `constants`
    logits:<tile>      [1, rows, 1, B*S]                     dlogits:<tile>    its gradient
    dropout:<layer>:<target>   where adapters drop out: the host draws 0 or 1 / (1 - rate) for each
                               element before each microbatch
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from ...ir.types import DTYPES
from ..manifest import Program

PARAMETER, GRADIENT, CONSTANT, VALUE, DROPOUT = (
    "parameter",
    "gradient",
    "constant",
    "value",
    "dropout",
)


@dataclass(frozen=True)
class ParameterLayout:
    """How a checkpoint's tensor lies in the memory that programs read.

    `shape` is the family's; `order` are its axes as they are stored; `stored` is the shape of the
    port. Its width may exceed the tensor's by `padding` columns of zeros. A parameter that no
    program reads, as an untied embedding, has `on_device` false. `frozen` ones get no gradient.
    """

    key: str
    shape: tuple[int, ...]
    order: tuple[int, ...]
    stored: tuple[int, ...]
    dtype: str
    padding: int = 0
    on_device: bool = True
    frozen: bool = False
    adapter: bool = False

    @property
    def size(self) -> int:
        """Elements as stored."""
        return prod(self.stored)

    def to_stored(self, tensor: np.ndarray) -> np.ndarray:
        """A tensor of `shape` as `stored`, in its own dtype; a view where no padding is."""
        turned = tensor.transpose(self.order)
        if self.padding:
            widths = [(0, 0)] * (turned.ndim - 1) + [(0, self.padding)]
            turned = np.pad(turned, widths)
        return turned.reshape(self.stored)

    def from_stored(self, array: np.ndarray) -> np.ndarray:
        """The inverse of `to_stored`."""
        turned = [self.shape[axis] for axis in self.order]
        padded = array.reshape(*turned[:-1], turned[-1] + self.padding)
        return padded[..., : turned[-1]].transpose(np.argsort(self.order))


@dataclass(frozen=True)
class Slot:
    """Memory with a name. `first` and `last` are the calls, by index, between which it is in use.

    Parameters, gradients' sums and constants outlive the calls; their slots of kind "parameter" and
    "constant" are in use throughout. `shares` names the slot whose memory this one takes over:
    the call that makes it works in place. `key` is the parameter of a `w:` or `g:` slot, and
    `first_row` the row of it, or of the logits, with which a tile begins.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    first: int
    last: int
    key: str | None = None
    first_row: int = 0
    shares: str | None = None

    @property
    def bytes(self) -> int:
        return prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize


@dataclass(frozen=True)
class Call:
    """Evaluates a program. `inputs` and `outputs` give the slot of every port."""

    program: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class HostCall:
    """What the host computes: "embed", "loss" or "unembed", as this file's head says."""

    step: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class TrainingPlan:
    """`tokens` of a microbatch are `batch` sequences of `sequence`, folded into one axis."""

    profile: str
    sequence: int
    batch: int
    layers: int
    vocabulary: int
    programs: Mapping[str, Program]
    calls: tuple[Call | HostCall, ...]
    parameters: Mapping[str, ParameterLayout]
    slots: Mapping[str, Slot]
    constants: Mapping[str, np.ndarray]

    @property
    def columns(self) -> int:
        return self.batch * self.sequence

    @cached_property
    def forward(self) -> int:
        """How many calls make the loss."""
        return 1 + next(
            index
            for index, call in enumerate(self.calls)
            if isinstance(call, HostCall) and call.step == "loss"
        )

    @property
    def trainable(self) -> list[str]:
        """Keys of the parameters that get gradients."""
        return [key for key, layout in self.parameters.items() if not layout.frozen]
