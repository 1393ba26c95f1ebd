"""Models of PyTorch, converted by coremltools and printed: on cpu they give what torch gives."""

from pathlib import Path
from typing import Any

import numpy as np
import op_oracle
import pytest
from coremltools_text import Printed, convert, print_model
from test_compressed_programs import compressions
from test_coremltools_programs import assert_near, quiet

from orion.runtime import Device, Program

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
import torch_models as models  # noqa: E402

Array = np.ndarray

# Tracing and converting warn of what they assume.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def tools() -> Any:
    return op_oracle.load()


def made(model: Any) -> Any:
    """A model with numbers of its own, ready to run."""
    torch.manual_seed(3)
    model = model()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def printed(
    tools: Any, model: Any, inputs: dict[str, Any], directory: Path, target: str
) -> Printed:
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(model, tuple(inputs.values()), check_trace=False)
        return convert(
            traced,
            directory,
            target=getattr(tools.target, target),
            inputs=[
                tools.TensorType(name, tuple(x.shape), dtype=x.numpy().dtype.type)
                for name, x in inputs.items()
            ],
        )


def results(text: Printed, given: dict[str, Any]) -> list[Array]:
    program = Program(Device("cpu"), text.text, text.weights)
    return list(program.run({name: x.numpy() for name, x in given.items()}).values())


def tensors(*results: Any) -> list[Array]:
    return [part.detach().numpy() for result in results for part in as_list(result)]


def as_list(result: Any) -> Any:
    return result if isinstance(result, tuple) else (result,)


CASES = {
    "images": (models.Images, {"x": (2, 3, 12, 12)}, "iOS16"),
    "sequence": (models.Sequence, {"x": (2, 5, 6)}, "iOS15"),
    "words": (models.Words, {"tokens": (2, 7)}, "iOS16"),
    "words_fused": (models.Words, {"tokens": (2, 7)}, "iOS18"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_model_means_what_torch_says(tools: Any, name: str, tmp_path: Path) -> None:
    kind, shapes, target = CASES[name]
    model = made(kind)
    text = None
    for seed in (1, 2):
        torch.manual_seed(seed)
        given = {
            name: torch.randint(0, 50, shape, dtype=torch.int32)
            if name == "tokens"
            else torch.randn(shape)
            for name, shape in shapes.items()
        }
        text = text or printed(tools, model, given, tmp_path, target)
        with torch.no_grad():
            wanted = tensors(model(*given.values()))
        got = results(text, given)
        assert len(got) == len(wanted)
        for ours, theirs in zip(got, wanted, strict=True):
            assert_near(ours, theirs, 2e-5)
    assert text and ("scaled_dot_product_attention" in text.text) == (name == "words_fused")


def rounded_to_int8(weight: Any) -> Any:
    scale = weight.abs().amax(dim=1, keepdim=True) / 127
    return (weight / scale).round().clamp(-127, 127) * scale


def of_sixteen_values(weight: Any) -> Any:
    return (weight * 40).round().clamp(-7, 8) / 40


@pytest.mark.parametrize(
    ("kind", "change"),
    [("int8 by channel", rounded_to_int8), ("sixteen values", of_sixteen_values)],
)
def test_small_weights_are_those_of_torch(
    tools: Any, kind: str, change: Any, tmp_path: Path
) -> None:
    """Stored small without loss: torch has the numbers that the file can hold."""
    from coremltools.optimize import coreml as optimize

    model = made(models.Dense)
    with torch.no_grad():
        for layer in (model.first, model.second):
            layer.weight.copy_(change(layer.weight))
    given = {"x": torch.randn(3, 32)}
    with quiet(), torch.no_grad():
        big = tools.convert(
            torch.jit.trace(model, (given["x"],)),
            convert_to="mlprogram",
            minimum_deployment_target=tools.target.iOS18,
            skip_model_load=True,
            compute_precision=tools.precision.FLOAT32,
            inputs=[tools.TensorType("x", (3, 32))],
        )
        if kind in compressions(tools):
            small = compressions(tools)[kind](big)
        else:
            unique = optimize.OpPalettizerConfig(mode="unique", weight_threshold=1)
            small = optimize.palettize_weights(
                big, optimize.OptimizationConfig(global_config=unique)
            )
        text = print_model(small, tmp_path)
    assert text.text.count("constexpr_") == 2
    with torch.no_grad():
        wanted = tensors(model(given["x"]))
    assert_near(results(text, given)[0], wanted[0], 2e-5)


def test_buffers_are_states(tools: Any, tmp_path: Path) -> None:
    model = made(models.Cache)
    first = {"x": torch.randn(1, 8), "place": torch.zeros(1, dtype=torch.int32)}
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(made(models.Cache), tuple(first.values()), check_trace=False)
        state = tools.TensorType(shape=(models.Cache.length, 8), dtype=np.float16)
        text = convert(
            traced,
            tmp_path,
            target=tools.target.iOS18,
            inputs=[
                tools.TensorType("x", (1, 8), dtype=np.float32),
                tools.TensorType("place", (1,), dtype=np.int32),
            ],
            states=[tools.StateType(wrapped_type=state, name=name) for name in ("keys", "values")],
        )
    program = Program(Device("cpu"), text.text, text.weights)
    assert sorted(state.name for state in program.states) == ["keys", "values"]
    for step in range(models.Cache.length):
        x, place = torch.randn(1, 8), torch.full((1,), step, dtype=torch.int32)
        with torch.no_grad():
            wanted = tensors(model(x, place))
        got = program.run({"x": x.numpy(), "place": place.numpy()})
        assert_near(next(iter(got.values())), wanted[0], 2e-3)
    np.testing.assert_allclose(program.read_state("keys"), model.keys.numpy(), atol=2e-3)
