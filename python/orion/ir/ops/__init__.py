"""The op table: every op of the IR, by name.

Adding an op is adding a row to the family it belongs to; nothing else lists ops.
"""

from __future__ import annotations

from ..row import Op
from . import composite, elementwise, gradient, matrix, quantized, reduction, source, structure

FAMILIES = (source, elementwise, reduction, matrix, quantized, structure, composite, gradient)
TABLE: dict[str, Op] = {row.name: row for family in FAMILIES for row in family.ROWS}
