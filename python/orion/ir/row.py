"""What a row of the op table holds; knows no op.

A row is the whole truth about an op: how it is written, what type comes out, what it means in
numpy, how gradients flow through it, how MIL spells it. Every executor is tested against `meaning`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .types import TensorType

Attributes = Mapping[str, Any]
Infer = Callable[[Sequence[TensorType], Attributes], list[TensorType]]
# (graph, node, gradient of the result) -> gradient of each operand, or None where there is none.
# A gradient may come back in the broadcast shape: whoever walks the table sums it to the operand's.
Gradient = Callable[[Any, Any, Any], tuple[Any, ...]]

# Kinds of attribute: what stands after `=` in the text form, and the MIL type of the constant.
KINDS = ("int", "ints", "float", "bool", "text", "dtype", "array", "shape")


class ShapeError(ValueError):
    """Operands or attributes that an op's shape rule refuses."""


@dataclass(frozen=True)
class Spelling:
    """How MIL writes an op: its name, what it calls the operands, and arguments that never vary.

    The row's attributes follow under their own names unless `renames` gives another; `fixed` holds
    the arguments that devices want written even at their default. Floats take the operand's dtype.
    An `inline` op has all its arguments among the attributes, as literals.
    """

    op: str
    operands: tuple[str, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    inline: bool = False


def mil(
    text: str, renames: Mapping[str, str] | None = None, *, inline: bool = False, **fixed: Any
) -> Spelling:
    """`mil("softmax x")`: MIL's op name, then its names for the operands in order."""
    op, *operands = text.split()
    return Spelling(op, tuple(operands), fixed, renames or {}, inline)


@dataclass(frozen=True)
class Attribute:
    name: str
    kind: str
    default: Any = None
    required: bool = True


@dataclass(frozen=True)
class Op:
    """One row. Operands: "x y", or "values*" (any number). Attributes: "axis:int on:bool=true"."""

    name: str
    operands: str
    attributes: str
    infer: Infer
    meaning: Callable[..., Any]
    gradient: Gradient | None = None
    mil: Spelling | None = None
    source: bool = False  # no operands; the type is an attribute
    composite: bool = False  # a pass writes it in other ops before MIL is made

    @cached_property
    def operand_names(self) -> tuple[str, ...]:
        return tuple(self.operands.split())

    @cached_property
    def is_variadic(self) -> bool:
        return self.operands.endswith("*")

    @cached_property
    def attribute_rows(self) -> tuple[Attribute, ...]:
        return tuple(parse_attribute(item) for item in self.attributes.split())


def parse_attribute(item: str) -> Attribute:
    name, kind = item.split(":")
    kind, equals, default = kind.partition("=")
    assert kind in KINDS, f"attribute {name} has no kind {kind}"
    values: dict[str, Any] = {"true": True, "false": False, "none": None}
    if not equals:
        return Attribute(name, kind)
    if default in values:
        return Attribute(name, kind, values[default], required=False)
    if kind in ("int", "float"):
        return Attribute(name, kind, float(default) if kind == "float" else int(default), False)
    return Attribute(name, kind, default, required=False)
