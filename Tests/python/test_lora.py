"""Adapters that train: the loss falls, the model stays, PEFT's files come out, runs resume."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import orion as package
from orion.compile import read_source
from orion.data.tokens import TokenWriter
from orion.errors import OrionError, UsageError
from orion.train import Lora, Settings, Trainer, finish
from orion.weights import adapter

DEVICES = ("cpu", "sim")
SETTINGS = Settings(
    iters=6, batch_size=2, max_seq_length=64, learning_rate=2e-3, save_every=2, keep=9, seed=3
)


@pytest.fixture(scope="module")
def stories_data(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few stories, the last quarter held out."""
    text = (data / "text" / "tinystories_sample.txt").read_text()
    folder = tmp_path_factory.mktemp("data")
    cut = len(text) * 3 // 4
    (folder / "train.txt").write_text(text[:cut])
    (folder / "valid.txt").write_text(text[cut:])
    return folder


def trainer(model: Path, data: Path, output: Path | None, **options: Any) -> Trainer:
    options = {"device": "cpu", "lora": Lora(rank=8), "settings": SETTINGS} | options
    return Trainer(model, data, output=output, **options)


def short_run(model: Path, folder: Path, lora: Lora) -> Trainer:
    """Three steps over random ids."""
    (folder / "data").mkdir()
    ids = np.random.RandomState(0).randint(0, 256, 600)
    with TokenWriter(folder / "data" / "train.bin", 256) as writer:
        writer.add(ids)
    settings = Settings(iters=3, batch_size=1, max_seq_length=32, learning_rate=1e-2)
    return trainer(model, folder / "data", folder / "run", lora=lora, settings=settings)


def losses(run: Trainer) -> list[float]:
    return [line["loss"] for line in run.steps()]


def test_layers_that_the_model_lacks_are_refused(data: Path) -> None:
    source = read_source(data / "golden" / "llama-tiny-gqa")
    with pytest.raises(UsageError, match="--num-layers 4: the model has 3 layers"):
        Lora(num_layers=4).adapters(source.family, source.config)
    with pytest.raises(UsageError, match=r"-1 \(all\), or 1 or more, not 0"):
        Lora(num_layers=0)
    last = Lora(num_layers=1).adapters(source.family, source.config)
    assert last.layers == (2,)


@pytest.mark.parametrize(
    ("prefix", "stack", "turned"),
    [("model.layers", "layers", False), ("transformer.h", "h", True), ("h", "h", True)],
)
def test_layers_that_stay_as_they_are_are_told_to_peft(
    tmp_path: Path, prefix: str, stack: str, turned: bool
) -> None:
    pair = (np.zeros((2, 4), np.float32), np.zeros((4, 2), np.float32))
    matrices = {f"{prefix}.{layer}.mlp.experts.0.up": pair for layer in (3, 11)}
    for partial in (False, True):
        adapter.write(
            adapter.Adapter(2, 4.0, ("up",), matrices, partial=partial, turned=turned), tmp_path
        )
        config = json.loads((tmp_path / adapter.CONFIG).read_text())
        assert config["layers_to_transform"] == ([3, 11] if partial else None)
        assert config["layers_pattern"] == ([stack] if partial else None)
        assert config["fan_in_fan_out"] is turned
        again = adapter.read(tmp_path)
        assert (again.partial, again.layers, again.turned) == (partial, (3, 11), turned)


@pytest.mark.parametrize(
    ("name", "targets"),
    [("llama-tiny-gqa", "q_proj,v_proj"), ("gpt2-tiny", "c_attn,c_proj")],
)
@pytest.mark.parametrize("layers", [-1, 1])
def test_peft_loads_what_was_written_without_a_warning(
    data: Path, tmp_path: Path, name: str, targets: str, layers: int
) -> None:
    peft, transformers = map(pytest.importorskip, ("peft", "transformers"))
    model = data / "golden" / name
    lora = Lora(rank=2, target_modules=targets, num_layers=layers)
    with short_run(model, tmp_path, lora) as run:
        list(run.steps())
        path = Path(finish(run)["model"])
    loaded = transformers.AutoModelForCausalLM.from_pretrained(model)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = peft.PeftModel.from_pretrained(loaded, path)
    assert [each for each in said if "adapter" in str(each) or "fan_in" in str(each)] == []
    found = {key for key, _ in adapted.named_parameters() if "lora_A" in key}
    assert len(found) == len(adapter.read(path).matrices)


def test_a_rank_above_that_of_the_matrices_is_refused(data: Path) -> None:
    source = read_source(data / "golden" / "llama-tiny-gqa")
    shapes = source.family.shapes(source.config)
    query, value = (
        min(shapes[f"model.layers.0.self_attn.{name}.weight"]) for name in ("q_proj", "v_proj")
    )
    assert value < query
    for names, useful in (("v_proj", value), ("q_proj,v_proj", query)):
        Lora(rank=useful, target_modules=names).adapters(source.family, source.config)
        with pytest.raises(UsageError, match=f"--rank {useful + 1}: .*; choose {useful} or less"):
            Lora(useful + 1, target_modules=names).adapters(source.family, source.config)


@pytest.mark.parametrize("device", DEVICES)
def test_the_loss_on_held_out_text_falls_and_the_model_comes_back(
    stories: Path, stories_data: Path, tmp_path: Path, device: str
) -> None:
    settings = Settings(
        iters=12, batch_size=4, max_seq_length=128, learning_rate=5e-4, steps_per_eval=0
    )
    with trainer(stories, stories_data, tmp_path / "run", device=device, settings=settings) as run:
        before = run.evaluate()
        lines = list(run.steps())
        assert run.evaluate() < before
        assert {line["compiles"] for line in lines[1:]} == {lines[0]["compiles"]}
        path = Path(finish(run)["model"])
    with package.load(stories, device) as alone:
        expected = alone.generate("Once upon a time", 40).new_ids
    with package.load(stories, device, adapter_path=path) as model:
        ids = model.encode("Once upon a time")
        adapted = model.session.feed(ids, 1)
        model.use_adapter(None)
        assert model.generate("Once upon a time", 40).new_ids == expected
        model.use_adapter(None)
        assert not np.array_equal(model.session.feed(ids, 1), adapted)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_run_resumes_to_the_bit(
    stories: Path, stories_data: Path, tmp_path: Path, dropout: float
) -> None:
    lora = Lora(rank=4, dropout=dropout)
    with trainer(stories, stories_data, tmp_path / "whole", lora=lora) as run:
        expected = losses(run)
    with trainer(stories, stories_data, tmp_path / "run", lora=lora) as run:
        steps = run.steps()
        found = [next(steps)["loss"] for _ in range(4)]
        steps.close()
    with trainer(stories, stories_data, tmp_path / "run", lora=lora, resume=True) as run:
        assert run.step_done == 4
        found += losses(run)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "targets"), [("gpt2-tiny", "c_attn,c_proj"), ("qwen3-tiny", "k_proj,up_proj")]
)
def test_what_trained_is_what_the_files_say(
    data: Path, tmp_path: Path, name: str, targets: str
) -> None:
    """The loss of the run, and of the model that is loaded with the adapter it wrote."""
    model = data / "golden" / name
    lora = Lora(rank=2, target_modules=targets, num_layers=1)
    with short_run(model, tmp_path, lora) as run:
        list(run.steps())
        batch = run.batches.next()
        outcome = run.learner.executor.evaluate(batch)
        path = Path(finish(run)["model"])
    written = adapter.read(path)
    assert written.matrices and written.partial
    assert (written.layers, written.turned) == ((2,), name.startswith("gpt2"))
    with package.load(model, "cpu", adapter_path=path) as beside:
        logits = beside.session.feed(batch.ids[0].tolist(), 32).astype(np.float64)
    rows = logits - logits.max(-1, keepdims=True)
    chosen = rows[np.arange(32), batch.targets[0]]
    loss = float(np.mean(np.log(np.exp(rows).sum(-1)) - chosen))
    assert loss == pytest.approx(outcome.loss / outcome.count, abs=2e-5)


def test_only_adapters_have_gradients_and_moments(stories: Path, stories_data: Path) -> None:
    with trainer(stories, stories_data, None) as run:
        keys = run.learner.parameters.trainable
    assert len(keys) == 5 * 2 * 2
    assert all(".lora_" in key for key in keys)


def test_gradients_of_adapters_pass_the_check(
    stories: Path, stories_data: Path, tmp_path: Path
) -> None:
    settings = Settings(iters=2, batch_size=2, max_seq_length=64, verify=2)
    lora = Lora(dropout=0.1)
    with trainer(stories, stories_data, None, device="sim", settings=settings, lora=lora) as run:
        assert all(line["grad_rel_l2_max"] < 2e-2 for line in run.steps())


BAD = (
    ({"rank": 0}, "--rank is 1 or more"),
    ({"alpha": 0.0}, "--alpha is above 0"),
    ({"dropout": 1.0}, "--dropout is from 0 up to 1"),
    ({"target_modules": " , "}, "--target-modules is at least one name"),
)


@pytest.mark.parametrize(("options", "said"), BAD)
def test_bad_settings_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Lora(**options)


def test_unknown_targets_are_named(stories: Path, stories_data: Path) -> None:
    with pytest.raises(UsageError, match="called w_pack; expected some of down_proj"):
        trainer(stories, stories_data, None, lora=Lora(target_modules="w_pack"))


def test_weights_cannot_be_updated_another_way(stories: Path, stories_data: Path) -> None:
    with pytest.raises(UsageError, match="Adapters are inputs"):
        trainer(stories, stories_data, None, settings=Settings(weight_update="recompile"))


def test_a_run_of_other_adapters_is_not_resumed(
    stories: Path, stories_data: Path, tmp_path: Path
) -> None:
    with trainer(stories, stories_data, tmp_path / "run") as run:
        list(run.steps())
    with pytest.raises(OrionError, match=r"up_proj|shape"):
        other = Lora(target_modules="up_proj")
        trainer(stories, stories_data, tmp_path / "run", lora=other, resume=True)
