"""Adapters: read beside a model they give what they give fused into it, and go without a trace."""

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import orion as package
from orion import weights
from orion.compile import AdapterRoom, cached_bundle
from orion.compile.driver import read_source
from orion.compile.options import adapter_places
from orion.errors import OrionError, UsageError
from orion.export import export_checkpoint
from orion.fuse import fuse
from orion.generate import Model
from orion.weights import adapter

DEVICES = ("cpu", "sim")
# model: layers that its adapter changes
MODELS = {
    "llama-tiny-gqa": ("q_proj", "v_proj", "down_proj"),
    "qwen3-tiny": ("k_proj", "gate_proj"),
    "gpt2-tiny": ("c_attn", "c_proj"),
}
IDS = [1, 5, 9, 33]
ROOM = AdapterRoom(8, ("q_proj", "v_proj"))


def make(model: Path, folder: Path, targets: tuple[str, ...], rank: int = 4, seed: int = 0) -> Path:
    """A random adapter that changes what the model says."""
    source = read_source(weights.locate(model))
    shapes = source.family.shapes(source.config)
    random = np.random.RandomState(seed)
    matrices: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for module, (name, _first) in adapter_places(source.family, source.config).items():
        if name.rsplit(".", 1)[-1] in targets:
            outputs, inputs = shapes[f"{module}.weight"]
            a, b = matrices.get(name, (random.randn(rank, inputs), np.zeros((0, rank))))
            matrices[name] = (a, np.concatenate([b, random.randn(outputs, rank)]))
    small = {name: (0.1 * a, 0.1 * b) for name, (a, b) in matrices.items()}
    folder.mkdir()
    adapter.write(adapter.Adapter(rank, 2.0 * rank, targets, small), folder)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_an_adapter_beside_its_model_gives_what_it_gives_fused(
    data: Path, tmp_path: Path, name: str
) -> None:
    model = data / "golden" / name
    path = make(model, tmp_path / "adapter", MODELS[name])
    fuse(model, path, tmp_path / "fused")
    for device in DEVICES:
        with (
            package.load(model, device, adapter_path=path) as beside,
            package.load(tmp_path / "fused", device) as fused,
        ):
            found, expected = (m.session.feed(IDS, 4) for m in (beside, fused))
            np.testing.assert_allclose(found, expected, atol=2e-5 if device == "cpu" else 2e-2)
            plain = beside.generate(IDS, 12).new_ids
            assert plain == fused.generate(IDS, 12).new_ids
            beside.use_adapter(None)
            assert beside.generate(IDS, 12).new_ids != plain


@pytest.fixture(scope="module", params=DEVICES)
def model(request: pytest.FixtureRequest, stories: Path) -> Iterator[Model]:
    with package.load(stories, request.param, adapter_room=ROOM) as opened:
        yield opened


@pytest.fixture(scope="module")
def paths(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {
        name: make(stories, folder / name, ("q_proj", "v_proj"), rank, seed)
        for seed, (name, rank) in enumerate((("red", 8), ("blue", 3)))
    }


def test_adapters_change_between_requests_and_compile_nothing(
    model: Model, stories: Path, paths: dict[str, Path]
) -> None:
    with package.load(stories, model.device) as alone:
        base = alone.generate("Once upon a time", 30).new_ids
    assert model.generate("Once upon a time", 30).new_ids == base
    compiles = model.device.counters()["compiles"]
    texts: dict[str | None, list[int]] = {None: base}
    for name, path in paths.items():
        model.open_adapter(name, path)
        model.use_adapter(name)
        texts[name] = model.generate("Once upon a time", 30).new_ids
    assert len({tuple(ids) for ids in texts.values()}) == len(texts)
    for name in ("red", None, "blue", "red", None):
        model.use_adapter(name)
        assert model.generate("Once upon a time", 30).new_ids == texts[name]
    assert model.device.counters()["compiles"] == compiles
    assert model.session.facts["adapter_targets"] == ["q_proj", "v_proj"]

    # Sequences with different adapters decode side by side.
    session = model.session
    names = ["red", None, "blue", "red", None]
    readers = [session.sequence() for _ in names]
    ids = model.encode("Once upon a time")
    for reader, name in zip(readers, names, strict=True):
        reader.set_adapter(name)
        reader.feed(ids)
    found = session.generate_batch(30, readers)
    assert [tokens for tokens, _ in found] == [texts[name] for name in names]

    with pytest.raises(UsageError, match=r"holds \d+ tokens that another read; reset it"):
        readers[0].set_adapter("blue")
    model.close_adapter("red")
    assert model.generate(ids, 30).new_ids == base
    with pytest.raises(UsageError, match='"red": not open; open are "blue"'):
        model.use_adapter("red")
    readers[0].reset()
    readers[0].feed(ids)
    assert readers[0].generate(30)[0] == texts["red"]
    with pytest.raises(UsageError, match="open already"):
        model.open_adapter("blue", paths["blue"])
    model.close_adapter("blue")
    for reader in readers:
        reader.close()


def rewrite(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        config = json.loads((folder / adapter.CONFIG).read_text())
        change(config)
        (folder / adapter.CONFIG).write_text(json.dumps(config))

    return apply


def set_tensors(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path], None]:
    from safetensors.numpy import load_file, save_file

    def apply(folder: Path) -> None:
        tensors = load_file(folder / adapter.TENSORS)
        change(tensors)
        save_file(tensors, folder / adapter.TENSORS)

    return apply


def cut(folder: Path) -> None:
    path = folder / adapter.TENSORS
    path.write_bytes(path.read_bytes()[:-8])


def lie(folder: Path) -> None:
    path = folder / adapter.TENSORS
    path.write_bytes(struct.pack("<Q", 1 << 60) + path.read_bytes()[8:])


FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
OTHER = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"
# what is done to a good adapter: what its error says; first to its configuration
FIELDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (lambda folder: (folder / adapter.CONFIG).unlink(), adapter.CONFIG),
    "config no JSON": (lambda folder: (folder / adapter.CONFIG).write_text("{"), "not JSON"),
    "another kind": (rewrite(lambda c: c.update(peft_type="IA3")), "IA3"),
    "dora": (rewrite(lambda c: c.update(use_dora=True)), "use_dora"),
    "patterns": (rewrite(lambda c: c.update(rank_pattern={"q_proj": 2})), "rank_pattern"),
    "weights moved into it": (
        rewrite(lambda c: c.update(init_lora_weights="pissa_niter_4")),
        "init_lora_weights",
    ),
    "of some tokens alone": (
        rewrite(lambda c: c.update(alora_invocation_tokens=[7])),
        "alora_invocation_tokens",
    ),
    "a field of later days": (rewrite(lambda c: c.update(use_new=True)), "use_new"),
    "no rank": (rewrite(lambda c: c.update(r=0)), "r"),
    "no alpha": (rewrite(lambda c: c.pop("lora_alpha")), "lora_alpha"),
}
DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    **FIELDS,
    "no tensors": (lambda folder: (folder / adapter.TENSORS).unlink(), adapter.TENSORS),
    "cut": (cut, adapter.TENSORS),
    "header too long": (lie, adapter.TENSORS),
    "one matrix": (set_tensors(lambda t: t.pop(FIRST)), "lora_"),
    "another name": (set_tensors(lambda t: t.update(w=t.pop(FIRST))), "MODULE.lora_A.weight"),
    "another layer": (set_tensors(lambda t: t.update({OTHER: t[FIRST].copy()})), "up_proj"),
    "another width": (set_tensors(lambda t: t.update({FIRST: t[FIRST][:, 1:].copy()})), "q_proj"),
    "not finite": (set_tensors(lambda t: t[FIRST].fill(np.nan)), "nan"),
    "rank too large": (
        set_tensors(lambda t: t.update({FIRST: np.zeros((40, t[FIRST].shape[1]), "f")})),
        "rank",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_adapter_is_refused_and_changes_nothing(
    model: Model, paths: dict[str, Path], tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(paths["red"], folder)
    spoil, said = DAMAGES[damage]
    spoil(folder)
    with pytest.raises(OrionError, match=said):
        model.open_adapter("bad", folder)
    assert "bad" not in model.session.facts["adapters"]
    assert model.generate("One day", 5).new_ids


@pytest.mark.parametrize("damage", FIELDS)
def test_both_readers_refuse_the_same_fields(
    paths: dict[str, Path], tmp_path: Path, damage: str
) -> None:
    """The command line reads an adapter in Python first, to know the room that it needs."""
    folder = tmp_path / "adapter"
    shutil.copytree(paths["red"], folder)
    spoil, said = FIELDS[damage]
    spoil(folder)
    with pytest.raises(OrionError, match=said):
        adapter.read(folder)


def test_fields_that_say_nothing_are_taken(
    model: Model, paths: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(paths["red"], folder)
    rewrite(
        lambda c: c.update(
            init_lora_weights="gaussian",
            peft_version="0.21.2",
            alora_invocation_tokens=None,
            use_qalora=False,
            qalora_group_size=16,
            megatron_core="megatron.core",
            later={},
        )
    )(folder)
    assert adapter.read(folder).matrices
    model.open_adapter("sound", folder)
    model.close_adapter("sound")


def test_a_bundle_without_room_takes_no_adapter(stories: Path, paths: dict[str, Path]) -> None:
    with (
        package.load(stories, "cpu") as alone,
        pytest.raises(UsageError, match="the bundle takes none; compile it with --adapter-rank"),
    ):
        alone.open_adapter("red", paths["red"])


def test_targets_that_the_model_lacks_are_named(stories: Path, tmp_path: Path) -> None:
    from profiles_for_tests import CPU

    room = AdapterRoom(8, ("q_proj", "w_pack"))
    with pytest.raises(UsageError, match=r"called w_pack; expected some of down_proj, gate_proj"):
        cached_bundle(stories, CPU, tmp_path, adapters=room)


def test_files_come_back_as_they_were_written(stories: Path, tmp_path: Path) -> None:
    path = make(stories, tmp_path / "adapter", ("q_proj",))
    first = adapter.read(path)
    (tmp_path / "again").mkdir()
    adapter.write(first, tmp_path / "again")
    again = adapter.read(tmp_path / "again")
    assert (again.rank, again.alpha, again.targets) == (4, 8.0, ("q_proj",))
    for module, pair in first.matrices.items():
        for ours, theirs in zip(pair, again.matrices[module], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_fusing_changes_the_layers_of_the_adapter_alone(stories: Path, tmp_path: Path) -> None:
    path = make(stories, tmp_path / "adapter", ("q_proj",))
    fuse(stories, path, tmp_path / "fused")
    export_checkpoint(stories, tmp_path / "plain")
    fused, plain = (weights.load(tmp_path / name).tensors for name in ("fused", "plain"))
    assert fused.keys() == plain.keys()
    for name, tensor in plain.items():
        assert np.array_equal(tensor, fused[name]) != ("q_proj" in name), name


def test_fusing_an_adapter_of_another_model_is_refused(
    data: Path, stories: Path, tmp_path: Path
) -> None:
    path = make(stories, tmp_path / "adapter", ("q_proj",))
    with pytest.raises(OrionError, match="the adapter is of another model"):
        fuse(data / "golden/llama-tiny-gqa", path, tmp_path / "fused")
    assert not (tmp_path / "fused").exists()
