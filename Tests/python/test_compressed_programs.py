"""Weights that coremltools stores small: on cpu they are what coremltools unpacks."""

from pathlib import Path
from typing import Any

import op_oracle
import pytest
from coremltools_programs import weights
from coremltools_text import print_model
from test_coremltools_programs import assert_near, drawn, quiet

from orion.runtime import Device, Program


@pytest.fixture(scope="module")
def tools() -> Any:
    return op_oracle.load()


@pytest.fixture(scope="module")
def mb(tools: Any) -> Any:
    """coremltools' builder."""
    from coremltools.converters.mil import Builder

    return Builder


def compressions(tools: Any) -> dict[str, Any]:
    from coremltools.optimize import coreml as optimize

    def linear(**options: Any) -> Any:
        config = optimize.OptimizationConfig(
            global_config=optimize.OpLinearQuantizerConfig(**options, weight_threshold=1)
        )
        return lambda model: optimize.linear_quantize_weights(model, config)

    def palette(**options: Any) -> Any:
        config = optimize.OptimizationConfig(
            global_config=optimize.OpPalettizerConfig(mode="uniform", **options, weight_threshold=1)
        )
        return lambda model: optimize.palettize_weights(model, config)

    def prune(model: Any) -> Any:
        rule = optimize.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=1)
        return optimize.prune_weights(model, optimize.OptimizationConfig(global_config=rule))

    def jointly(compress: Any, rule: Any) -> Any:
        config = optimize.OptimizationConfig(global_config=rule)
        return lambda model: compress(prune(model), config, joint_compression=True)

    return {
        "sparse": prune,
        "sparse palette of 4 bits": jointly(
            optimize.palettize_weights,
            optimize.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=1),
        ),
        "sparse int8": jointly(
            optimize.linear_quantize_weights,
            optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=1),
        ),
        "int8 by channel": linear(mode="linear_symmetric"),
        "uint8 with zero points": linear(mode="linear"),
        "int4 in blocks": linear(
            mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=8
        ),
        "palette of 2 bits": palette(nbits=2),
        "palette of 3 bits": palette(nbits=3),
        "palettes of 4 bits in groups": palette(
            nbits=4, granularity="per_grouped_channel", group_size=4
        ),
        "palette of 6 bits": palette(nbits=6),
    }


EARLIER = ("int8 by channel", "uint8 with zero points", "palette of 2 bits", "palette of 6 bits")
EARLIER += ("sparse",)
LATER = ("int4 in blocks", "palette of 3 bits", "palettes of 4 bits in groups")
LATER += ("sparse palette of 4 bits", "sparse int8")


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
@pytest.mark.parametrize("kind", EARLIER + LATER)
def test_compressed_weights_are_what_coremltools_unpacks(
    tools: Any, mb: Any, kind: str, target: str, tmp_path: Path
) -> None:
    if target == "iOS16" and kind in LATER:
        return
    from coremltools.optimize import coreml as optimize

    w1, w2 = weights(50, 16, 32), weights(51, 8, 16)

    def build(x: Any) -> Any:
        return mb.linear(x=mb.tanh(x=mb.linear(x=x, weight=w1)), weight=w2)

    version = getattr(tools.target, target)
    specs = [mb.TensorSpec(shape=(3, 32))]
    with quiet():
        model = tools.convert(
            mb.program(input_specs=specs, opset_version=version)(build),
            convert_to="mlprogram",
            minimum_deployment_target=version,
            skip_model_load=True,
            compute_precision=tools.precision.FLOAT32,
        )
        small = compressions(tools)[kind](model)
        plain = optimize.decompress_weights(small)
        texts = [print_model(small, tmp_path / "small"), print_model(plain, tmp_path / "plain")]
    assert "constexpr_" in texts[0].text and "constexpr_" not in texts[1].text
    given = drawn({"x": (3, 32)}, 4)
    got, wanted = (
        next(iter(Program(Device("cpu"), text.text, text.weights).run(given).values()))
        for text in texts
    )
    assert_near(got, wanted, 2e-6)
