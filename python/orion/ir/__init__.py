"""The graph of ops that Orion compiles: values with types, a text form, and a meaning in numpy."""

from .graph import Graph, Node, Output, Value
from .interpret import Arithmetic, interpret
from .parse import ParseError, parse
from .text import to_text
from .types import TensorType
from .verify import VerifyError, verify

__all__ = [
    "Arithmetic",
    "Graph",
    "Node",
    "Output",
    "ParseError",
    "TensorType",
    "Value",
    "VerifyError",
    "interpret",
    "parse",
    "to_text",
    "verify",
]
