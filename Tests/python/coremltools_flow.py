"""Programs of coremltools with blocks, whole numbers, shapes, and weights in tables."""

from typing import Any

import numpy as np
from coremltools_programs import EXAMPLES, Inputs, example, relu, weights
from op_rows_images import bilinear
from op_rows_places import affine

__all__ = ["EXAMPLES"]

Array = np.ndarray


@example({"a": (1,), "x": (4,)}, target="iOS15")
def branches() -> Any:
    def build(mb: Any) -> Any:
        def program(a: Any, x: Any) -> Any:
            pred = mb.squeeze(x=mb.greater(x=a, y=np.float32(0)))

            def inner() -> Any:
                big = mb.squeeze(x=mb.greater(x=a, y=np.float32(10)))
                return mb.cond(
                    pred=big,
                    _true_fn=lambda: mb.mul(x=x, y=np.float32(10)),
                    _false_fn=lambda: mb.relu(x=x),
                )

            return mb.cond(pred=pred, _true_fn=inner, _false_fn=lambda: mb.abs(x=x))

        return program

    def meaning(given: Inputs) -> list[Array]:
        a, x = float(given["a"][0]), given["x"]
        return [(x * 10 if a > 10 else relu(x)) if a > 0 else np.abs(x)]

    return build, meaning


@example({"x": (1, 4)}, target="iOS17")
def loop_over_a_layer() -> Any:
    """The trip count is a variable of the loop, the weights stand outside of it."""
    w, b = weights(30, 4, 4), weights(31, 4)

    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            def more(i: Any, _h: Any) -> Any:
                return mb.squeeze(x=mb.less(x=i, y=np.array([6], np.int32)))

            def step(i: Any, h: Any) -> Any:
                y = mb.tanh(x=mb.linear(x=h, weight=w, bias=b))
                return mb.add(x=i, y=np.array([1], np.int32)), mb.add(x=y, y=x)

            nothing = mb.mul(x=mb.reduce_sum(x=x, axes=[0, 1]), y=np.float32(0))
            start = mb.cast(x=nothing, dtype="int32")
            first = mb.expand_dims(x=start, axes=[0])
            return mb.while_loop(_cond=more, _body=step, loop_vars=(first, x))

        return program

    def meaning(given: Inputs) -> list[Array]:
        h = given["x"]
        for _ in range(6):
            h = np.tanh(h @ w.T + b) + given["x"]
        return [np.array([6]), h]

    return build, meaning


@example({"x": (3, 5)}, target="iOS17")
def whole_numbers_and_truth() -> Any:
    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            whole = mb.cast(x=mb.mul(x=x, y=np.float32(10)), dtype="int32")
            rest = mb.mod(x=whole, y=np.int32(7))
            odd = mb.equal(x=mb.mod(x=whole, y=np.int32(2)), y=np.int32(1))
            chosen = mb.select(cond=odd, a=rest, b=mb.floor_div(x=whole, y=np.int32(3)))
            return chosen, mb.reduce_argmax(x=x, axis=1), mb.logical_not(x=odd)

        return program

    def meaning(given: Inputs) -> list[Array]:
        whole = (given["x"].astype(np.float32) * np.float32(10)).astype(np.int32)
        odd = whole % 2 == 1
        return [np.where(odd, whole % 7, whole // 3), given["x"].argmax(1), ~odd]

    return build, meaning


@example({"x": (2, 6, 8)}, target="iOS16")
def shapes_and_slices() -> Any:
    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            a, b = mb.split(x=x, num_splits=2, axis=1)
            joined = mb.stack(values=(a, mb.transpose(x=b, perm=[0, 1, 2])), axis=1)
            cut = mb.slice_by_index(
                x=joined, begin=[0, 1, 0, 7], end=[2, 2, 3, 0], stride=[1, 1, 2, -3],
                begin_mask=[True, False, False, False], end_mask=[False, False, True, True],
                squeeze_mask=[False, True, False, False],
            )  # fmt: skip
            return mb.pad(x=cut, pad=[1, 1, 2, 0], mode="reflect"), mb.gather(
                x=x, indices=np.array([3, 0], np.int32), axis=2
            )

        return program

    def meaning(given: Inputs) -> list[Array]:
        x = given["x"]
        cut = np.stack([x[:, :3], x[:, 3:]], 1)[:, 1, ::2, 7::-3]
        return [np.pad(cut, [(0, 0), (1, 1), (2, 0)], "reflect"), x[:, :, [3, 0]]]

    return build, meaning


@example({"x": (1, 4, 6, 6)}, target="iOS17")
def resized_and_sampled() -> Any:
    theta = np.array([[0.5, 0.1, 0, -0.1, 0.5, 0.2]], np.float32)

    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            y = mb.resize_bilinear(
                x=x, target_size_height=9, target_size_width=4, sampling_mode="STRICT_ALIGN_CORNERS"
            )
            z = mb.affine(
                x=x, transform_matrix=theta, output_height=3, output_width=3,
                sampling_mode="bilinear", padding_mode="constant", padding_value=np.float32(0),
                coordinates_mode="normalized_minus_one_to_one", align_corners=True,
            )  # fmt: skip
            return y, z

        return program

    def meaning(given: Inputs) -> list[Array]:
        how = {
            "sampling_mode": "bilinear",
            "padding_mode": "constant",
            "padding_value": 0.0,
            "coordinates_mode": "normalized_minus_one_to_one",
            "align_corners": True,
        }
        x = given["x"]
        return [
            bilinear(x, 9, 4, "STRICT_ALIGN_CORNERS"),
            affine(x, transform_matrix=theta, output_height=3, output_width=3, **how),
        ]

    return build, meaning


@example({"x": (1, 8)}, target="iOS16")
def tables_of_bits() -> Any:
    """Indices of six bits, the earlier form: a run of bytes."""
    table = weights(40, 64)
    indices = np.random.default_rng(41).integers(0, 64, 32).astype(np.uint8)
    bits = np.unpackbits(indices[:, None], axis=1, bitorder="little")[:, :6]
    packed = np.packbits(bits.reshape(-1), bitorder="little")

    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            w = mb.constexpr_lut_to_dense(
                indices=packed, lut=table, shape=np.array([4, 8], np.uint32)
            )
            return mb.linear(x=x, weight=w)

        return program

    return build, lambda given: [given["x"] @ table[indices].reshape(4, 8).T]


@example({"x": (1, 8)})
def narrow_integers() -> Any:
    """Four-bit numbers with a scale and an offset for each block of two inputs."""
    random = np.random.default_rng(42)
    data, shift = random.integers(-8, 8, (4, 8)), random.integers(-8, 8, (4, 4))
    scale = weights(43, 4, 4)

    def build(mb: Any) -> Any:
        from coremltools.converters.mil.mil import types

        def narrow(values: Array) -> Array:
            return values.astype(types.np_int4_dtype)

        def program(x: Any) -> Any:
            w = mb.constexpr_blockwise_shift_scale(
                data=narrow(data), scale=scale, offset=narrow(shift)
            )
            return mb.linear(x=x, weight=w)

        return program

    def meaning(given: Inputs) -> list[Array]:
        w = (data - shift.repeat(2, 1)) * scale.repeat(2, 1)
        return [given["x"] @ w.T]

    return build, meaning


@example({"x": (1, 8)})
def tables_of_three_bits() -> Any:
    """A table for each output; indices of three bits with a type of their own."""
    random = np.random.default_rng(44)
    indices, tables = random.integers(0, 8, (4, 8)), weights(45, 4, 1, 8, 1)

    def build(mb: Any) -> Any:
        from coremltools.converters.mil.mil import types

        def program(x: Any) -> Any:
            picked = indices.astype(types.np_uint3_dtype)
            return mb.linear(x=x, weight=mb.constexpr_lut_to_dense(indices=picked, lut=tables))

        return program

    w = tables.reshape(4, 8)[np.arange(4)[:, None], indices]
    return build, lambda given: [given["x"] @ w.T]
