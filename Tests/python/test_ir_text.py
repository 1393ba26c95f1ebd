"""The text form: what it looks like, exactness, and errors that name line and column."""

from __future__ import annotations

import numpy as np
import pytest

from orion.ir import Graph, ParseError, interpret, parse, to_text

EXAMPLE = """\
graph example
%x = input fp16 [1, 4, 1, 16] role="embedding table=embedding"
%w = weight fp16 [4, 4, 1, 1] key="model.layers.0.mlp.up_proj.weight"
%half = constant fp16 [] value=0.5
%y = linear %x %w : fp16 [1, 4, 1, 16]
%a, %b = split %y axis=1 sizes=[2, 2] : fp16 [1, 2, 1, 16], fp16 [1, 2, 1, 16]
%c = concat %b %a axis=1 : fp16 [1, 4, 1, 16]
%d = mul %c %half : fp16 [1, 4, 1, 16]
%e = reduce_sum %d axes=[1] keep_dims=true : fp16 [1, 1, 1, 16]
%f = clip %e low=-inf high=1e-05 : fp16 [1, 1, 1, 16]
%g = cast %f dtype=fp32 : fp32 [1, 1, 1, 16]
return %g "hidden", second = %d
"""


def test_example_reads_back() -> None:
    assert to_text(parse(EXAMPLE)) == EXAMPLE


def test_types_comments_and_order_of_attributes_are_free() -> None:
    loose = """
      ; a comment
      graph example ; another
      %x = input fp16 [1,4,1,16]
      %e = reduce_sum %x keep_dims=false axes=[1]
      return %e
    """
    text = "%e = reduce_sum %x axes=[1] keep_dims=false : fp16 [1, 1, 16]"
    assert text in to_text(parse(loose))


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_every_float_reads_back_to_the_bit(dtype: str) -> None:
    kind = np.float16 if dtype == "fp16" else np.float32
    bits = np.uint16 if dtype == "fp16" else np.uint32
    random = np.random.RandomState(0)
    patterns = random.randint(0, np.iinfo(bits).max, 200, dtype=np.uint32).astype(bits)
    specials = np.array([0.0, -0.0, np.inf, -np.inf, 1e-7, 6.1e-5, 65504.0], kind).view(bits)
    values = np.concatenate([patterns, specials]).view(kind)
    values = values[~np.isnan(values)]
    for count in (len(values), 300):
        array = np.resize(values, count)
        g = Graph()
        g.output("y", g.constant(array, dtype))
        again = parse(to_text(g)).nodes[0]["value"]
        np.testing.assert_array_equal(again.view(bits), array.view(bits))


def test_constants_of_other_dtypes() -> None:
    g = Graph()
    g.output("a", g.constant([[1, -2], [3, 4]], "int32"))
    g.output("b", g.constant([True, False], "bool"))
    g.output("c", g.constant(np.full((1000,), 2.5), "fp32"))
    text = to_text(g)
    assert "value=[1, -2, 3, 4]" in text
    assert "value=[true, false]" in text
    assert "[1000] value=2.5" in text
    results = interpret(parse(text), {})
    np.testing.assert_array_equal(results["a"], [[1, -2], [3, 4]])


# text, "line:column: message" begins with
FAULTS = [
    ("%a = inptu fp16 [2]", "1:6: there is no op `inptu`"),
    ("%a = input fp8 [2]", "1:12: expected one of fp16, fp32"),
    ("%a = input fp16 [0]", "1:18: expected a positive length, found `0`"),
    ("%a = input fp16 2", "1:17: expected `[`, found `2`"),
    ("%a = input fp16 [2]\n%a = exp %a", "2:1: %a is defined twice"),
    ("%a = exp %b", "1:10: %b is not defined before this line"),
    ("%a = input fp16 [2]\n%b = exp %a base=2", "2:13: `exp` has no attribute `base`"),
    ("%a = input fp16 [2]\n%b = softmax %a", "2:6: softmax needs the attribute axis"),
    ("%a = input fp16 [2]\n%b = softmax %a axis=1", "2:6: softmax: axis 1 is outside 1 axes"),
    ("%a = input fp16 [2]\n%b = softmax %a axis=x", "2:22: `axis` is of kind int"),
    ("%a = input fp16 [2]\n%b = exp %a : fp32 [2]", "2:15: %b is fp16 [2], not fp32 [2]"),
    ("%a = input fp16 [2]\n%b, %c = exp %a", "2:10: `exp` does not make 2 results"),
    ("%a = input fp16 [2]\n%b = exp %a %a", "2:6: exp takes x, got 2"),
    ("%a = input fp16 [2]\nreturn %a\n%b = exp %a", "3:1: nothing may follow `return`"),
    ("%a = input fp16 [2]\nreturn %b", "2:8: %b is not defined before this line"),
    ("%a = input fp16 [2]\nreturn out %a", "2:12: expected `=` after an output's name"),
    ("%a = constant fp16 [2] value=[1.0]", "1:30: `value` is of kind array"),
    ('%a = constant fp16 [2] value="!!"', "1:30: `value` is of kind array"),
    ("%a input fp16 [2]", "1:4: expected `=`, found `input`"),
    ("%a = input fp16 [2] $", "1:21: unexpected `$`"),
    ("foo", "1:1: expected `%name = op ...`, `graph` or `return`"),
    ("graph a b", "1:9: expected the end of the line, found `b`"),
    ('%a = weight fp16 [2] key="open', '1:26: unexpected `"`'),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_fault_names_line_and_column(text: str, message: str) -> None:
    with pytest.raises(ParseError) as error:
        parse(text)
    assert str(error.value).startswith(message)
