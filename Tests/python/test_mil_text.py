"""MIL text: what the writer prints, letter by letter, in both dialects."""

from __future__ import annotations

import numpy as np
import pytest
from profiles_for_tests import M4

from orion.errors import OrionError
from orion.ir import parse
from orion.mil import BlobWriter, to_mil
from orion.mil.literals import hexadecimal
from orion.models import llama
from orion.passes import run_passes

GRAPH = """
graph small
%y = input fp16 [1, 4, 1, 8]
%x = input fp16 [1, 4, 1, 8]
%w = weight fp16 [4, 4, 1, 1] key="up"
%half = constant fp16 [] value=0.5
%a = linear %x %w
%b = reduce_sum %a axes=[1]
%c, %d = split %y axis=1 sizes=[1, 3]
%e = concat %c %d axis=1
%f = mul %b %half
%g = rsqrt %f
return %g, %e
"""

DIALECT_1_3 = """\
program(1.3)
[buildInfo = dict<string, string>({{"coremlc-component-MIL", "3510.2.1"}, {"coremlc-version", "3505.4.1"}})]
{
    func main<ios18>(tensor<fp16, [1, 4, 1, 8]> x, tensor<fp16, [1, 4, 1, 8]> y) {
            tensor<fp16, [4, 4, 1, 1]> w = const()[name = string("w"), val = tensor<fp16, [4, 4, 1, 1]>(BLOBFILE(path = string("@model_path/weights.bin"), offset = uint64(64)))];
            fp16 half = const()[name = string("half"), val = fp16(0x1p-1)];
            tensor<int32, [2]> strides_0 = const()[name = string("strides_0"), val = tensor<int32, [2]>([1, 1])];
            string pad_type_0 = const()[name = string("pad_type_0"), val = string("valid")];
            tensor<int32, [4]> pad_0 = const()[name = string("pad_0"), val = tensor<int32, [4]>([0, 0, 0, 0])];
            tensor<int32, [2]> dilations_0 = const()[name = string("dilations_0"), val = tensor<int32, [2]>([1, 1])];
            int32 groups_0 = const()[name = string("groups_0"), val = int32(1)];
            tensor<fp16, [1, 4, 1, 8]> a = conv(dilations = dilations_0, groups = groups_0, pad = pad_0, pad_type = pad_type_0, strides = strides_0, weight = w, x = x)[name = string("a")];
            tensor<int32, [1]> axes_0 = const()[name = string("axes_0"), val = tensor<int32, [1]>([1])];
            bool keep_dims_0 = const()[name = string("keep_dims_0"), val = bool(true)];
            tensor<fp16, [1, 1, 1, 8]> b = reduce_sum(axes = axes_0, keep_dims = keep_dims_0, x = a)[name = string("b")];
            int32 axis_0 = const()[name = string("axis_0"), val = int32(1)];
            tensor<int32, [2]> split_sizes_0 = const()[name = string("split_sizes_0"), val = tensor<int32, [2]>([1, 3])];
            tensor<fp16, [1, 1, 1, 8]> c, tensor<fp16, [1, 3, 1, 8]> d = split(axis = axis_0, split_sizes = split_sizes_0, x = y)[name = string("c")];
            bool interleave_0 = const()[name = string("interleave_0"), val = bool(false)];
            tensor<fp16, [1, 4, 1, 8]> e = concat(axis = axis_0, interleave = interleave_0, values = (c, d))[name = string("e")];
            tensor<fp16, [1, 1, 1, 8]> f = mul(x = b, y = half)[name = string("f")];
            fp16 epsilon_0 = const()[name = string("epsilon_0"), val = fp16(0x0p+0)];
            tensor<fp16, [1, 1, 1, 8]> g = rsqrt(epsilon = epsilon_0, x = f)[name = string("g")];
        } -> (g, e);
}"""  # noqa: E501


def write(program: str, opset: str, text: str = GRAPH) -> str:
    tensors = {"up": np.ones((4, 4), np.float32)}
    return to_mil(parse(text), {"program": program, "opset": opset}, BlobWriter(), tensors)


def test_dialect_1_3() -> None:
    assert write("1.3", "ios18") == DIALECT_1_3


def test_dialect_1_0_writes_scalars_as_tensors() -> None:
    text = write("1.0", "ios16")
    assert text.startswith(
        "program(1.0)\n[buildInfo = dict<tensor<string, []>, tensor<string, []>>({{"
    )
    assert "func main<ios16>(" in text
    line = 'tensor<fp16, []> half = const()[name = tensor<string, []>("half"), '
    assert line + "val = tensor<fp16, []>(0x1p-1)];" in text
    assert 'pad_type_0"), val = tensor<string, []>("valid")];' in text
    assert "offset = tensor<uint64, []>(64))" in text


def test_weights_of_two_programs_are_one_record() -> None:
    blob = BlobWriter()
    tensors = {"up": np.ones((4, 4), np.float32)}
    for _ in range(2):
        to_mil(parse(GRAPH), M4["dialect"], blob, tensors)
    assert [record.name for record in blob.records] == ["up"]


def test_large_constants_go_to_the_file_and_small_ones_stay() -> None:
    text = """
    %x = input fp16 [3, 4]
    %a = constant fp16 [3, 4] value=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    %b = constant fp16 [1, 4] value=[1, -2, 0.1, inf]
    %c = constant int32 [3, 4] value=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    %d = cast %c dtype=fp16
    %e = add %x %a
    %f = add %e %b
    %g = add %f %d
    return %g
    """
    written = write("1.3", "ios18", text)
    assert "tensor<fp16, [3, 4]>(BLOBFILE(" in written
    assert "tensor<fp16, [1, 4]>([[0x1p+0, -0x1p+1, 0x1.998p-4, inf]])" in written
    assert "tensor<int32, [3, 4]>([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])" in written
    assert 'val = string("fp16")];' in written


def test_argument_names_avoid_values() -> None:
    text = "%axes_0 = input fp16 [4]\n%y = reduce_sum %axes_0 axes=[0]\nreturn %y"
    assert "reduce_sum(axes = axes_1, keep_dims = keep_dims_0, x = axes_0)" in write(
        "1.3", "ios18", text
    )


def test_a_missing_weight_is_named() -> None:
    with pytest.raises(OrionError, match="no tensor up, which the model needs"):
        to_mil(parse(GRAPH), M4["dialect"], BlobWriter(), {})


def test_a_weight_of_another_size_is_named() -> None:
    with pytest.raises(OrionError, match=r"tensor up has shape \[4, 5\], the model reads it as"):
        to_mil(parse(GRAPH), M4["dialect"], BlobWriter(), {"up": np.ones((4, 5), np.float32)})


def test_tiles_of_a_weight_are_records_of_their_own() -> None:
    config = llama.TINY
    graph = run_passes(llama.head(config, 32, 100), M4)
    random = np.random.RandomState(0)
    tensors = {
        "model.embed_tokens.weight": random.standard_normal((288, 64)).astype(np.float32),
        "model.norm.weight": np.ones(64, np.float32),
    }
    blob = BlobWriter()
    to_mil(graph, M4["dialect"], blob, tensors)
    tiles = [record for record in blob.records if record.name == "model.embed_tokens.weight"]
    assert [tile.array.shape[0] for tile in tiles] == [100, 100, 88]
    np.testing.assert_array_equal(
        tiles[1].array[:, :, 0, 0], tensors["model.embed_tokens.weight"][100:200]
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0x0p+0"),
        (-0.0, "-0x0p+0"),
        (1.0, "0x1p+0"),
        (0.1, "0x1.999999999999ap-4"),
        (float(np.float16(6e-8)), "0x1p-24"),
        (-10000.0, "-0x1.388p+13"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
    ],
)
def test_shortest_hexadecimal(value: float, text: str) -> None:
    assert hexadecimal(value) == text
    assert str(float.fromhex(text)) == str(value)
