"""Makes the plan of a training step: pieces, their calls in order, and the slots between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import UsageError
from ...ir import Graph
from ..manifest import Program
from .adapters import DROPOUT, OUTER, Adapters, add_adapters
from .graphs import POSITIONS, Size, entry_tables, head_graph, layer_graph
from .layout import AS_GIVEN, TURNED, choose_layout, fits_width
from .pieces import STREAM, STREAM_GRADIENT, Piece, make_piece
from .plan import Call, HostCall, ParameterLayout, TrainingPlan
from .ports import LAYER, WeightPort, read_weights, signature
from .sequences import MASK
from .slots import make_slots

# What hides a position, in scores.
HIDDEN = {"fp32": -1e9, "fp16": -1e4}


def make_training_plan(
    family: Any,
    config: Any,
    profile: Mapping[str, Any],
    *,
    sequence: int,
    batch: int,
    adapters: Adapters | None = None,
    trainable: Collection[str] | None = None,
) -> TrainingPlan:
    """The plan for microbatches of `batch` sequences of `sequence` tokens.

    `family` and `config` as orion.models finds and reads them. Weights are inputs, so that one
    program serves all layers of a shape; `with_constants` makes them part of programs. `adapters`
    are added to linear layers. `trainable`: keys of the parameters that get gradients, by default
    the adapters, or all when there are none. UsageError names what the profile or the model does
    not take.
    """
    size = Size(sequence, batch)
    check_size(size, config, profile)
    request = Request(adapters, trainable)
    return Maker(family, config, profile, size, request).plan()


def check_size(size: Size, config: Any, profile: Mapping[str, Any]) -> None:
    limits = profile["limits"]
    if size.batch < 1 or size.sequence < 1:
        raise UsageError(f"a microbatch of {size.batch} x {size.sequence} tokens holds nothing")
    if size.sequence > config.context:
        raise UsageError(
            f"the model sees {config.context} positions, a sequence of {size.sequence} is longer"
        )
    if not fits_width(size.sequence, limits):
        raise UsageError(
            f"{profile['name']} takes sequences from {limits['width_min']} tokens in multiples of"
            f" {limits['width_multiple']}, not {size.sequence}"
        )
    if size.columns > limits["axis_width_max"]:
        raise UsageError(
            f"{profile['name']} takes {limits['axis_width_max']} tokens at once, not"
            f" {size.batch} x {size.sequence}"
        )


@dataclass(frozen=True)
class Place:
    """A piece where the model has it: which slot every weight port of it reads."""

    piece: Piece
    index: int
    weights: Mapping[str, WeightPort]


@dataclass(frozen=True)
class Request:
    """What of the plan the caller chose; as `make_training_plan` says."""

    adapters: Adapters | None
    trainable: Collection[str] | None


class Maker:
    """Collects pieces, calls and slots of one plan."""

    def __init__(
        self, family: Any, config: Any, profile: Mapping[str, Any], size: Size, request: Request
    ) -> None:
        self.family, self.config, self.profile, self.size = family, config, profile, size
        self.request = request
        shapes: Mapping[str, tuple[int, ...]] = family.shapes(config)
        added = request.adapters.shapes(shapes) if request.adapters else {}
        wanted = request.trainable
        self.trainable = set(wanted if wanted is not None else added or shapes)
        check_keys(self.trainable, {**shapes, **added})
        self.tables = entry_tables(family, config, size)
        self.layouts = {
            key: self.layout(key, shape, key in added) for key, shape in {**shapes, **added}.items()
        }
        self.pieces: dict[tuple[str, bool, object, object], Piece] = {}
        self.calls: list[Call | HostCall] = []
        self.constants: dict[str, np.ndarray] = {}

    def layout(self, key: str, shape: tuple[int, ...], adapter: bool) -> ParameterLayout:
        """Tables and the head have their rows by token, and of adapters the rank is no width."""
        orders: Sequence[tuple[int, int]] = (TURNED, AS_GIVEN)
        if adapter:
            orders = (TURNED, AS_GIVEN) if key.endswith(OUTER) else (AS_GIVEN, TURNED)
        elif not LAYER.match(key):
            orders = (AS_GIVEN,)
        frozen = key not in self.trainable
        return choose_layout(
            key, shape, self.profile, orders, on_device=False, frozen=frozen, adapter=adapter
        )

    def plan(self) -> TrainingPlan:
        count = self.config.layers
        layers = [self.place(self.layer_graph(index), "layer", index) for index in range(count)]
        head = self.place(self.head_graph(), "head", count)
        logits = {name: name.replace("_", ":") for name in head.piece.outputs}
        seeds = {f"d_{name}": f"d{slot}" for name, slot in logits.items()}
        self.host("embed", self.table_slots("w"), {"x": "h:0"})
        for layer in layers:
            self.forward(layer, {"hidden": f"h:{layer.index + 1}"})
        self.forward(head, logits)
        self.host("loss", logits, {port.replace("d_", "d", 1): s for port, s in seeds.items()})
        self.backward(head, seeds)
        for layer in reversed(layers):
            self.backward(layer, {"d_hidden": f"d:{layer.index + 1}"})
        if self.trained_tables():
            self.host("unembed", {"x": "d:0"}, self.table_slots("g", self.trained_tables()))
        return self.finished()

    # ---- pieces ----

    def layer_graph(self, index: int) -> Graph:
        graph = layer_graph(self.family, self.config, index, self.size)
        if self.request.adapters:
            add_adapters(graph, self.request.adapters)
        return graph

    def head_graph(self) -> Graph:
        return head_graph(self.family, self.config, self.size, self.profile)

    def place(self, graph: Graph, name: str, index: int) -> Place:
        """Pieces that are alike become one."""
        self.fill_constants(graph)
        ports = read_weights(graph, self.layouts)
        for port in ports:
            self.layouts[port.key] = replace(self.layouts[port.key], on_device=True)
        trainable = [port for port in ports if port.key in self.trainable]
        passes_on = index > self.lowest
        names = tuple(port.name for port in trainable)
        identity = (name, passes_on, names, signature(graph))
        if identity not in self.pieces:
            same = sum(known[0] == name for known in self.pieces)
            self.pieces[identity] = make_piece(
                graph,
                trainable,
                self.profile,
                f"{name}_{same}" if same else name,
                passes_on=passes_on,
            )
        return Place(self.pieces[identity], index, {port.name: port for port in ports})

    def fill_constants(self, graph: Graph) -> None:
        """What every microbatch finds in the masks and tables that a graph reads."""
        sequence, batch = self.size.sequence, self.size.batch
        for node in graph.inputs:
            name, role = node.result.name, node["role"] or ""
            if name == MASK:
                seen = np.tri(sequence, dtype=bool)
                hidden = HIDDEN[self.profile["preferences"]["activation"]]
                self.constants[MASK] = np.where(seen, 0, hidden)[None, None].astype(np.float32)
            elif role.startswith(POSITIONS):
                table = self.family.tables(self.config)[role.removeprefix(POSITIONS)]
                rows = np.asarray(table)[:sequence].T
                tiled = np.tile(rows, batch)[None, :, None]
                self.constants[name] = tiled.astype(np.float32)

    # ---- calls ----

    def table_slots(self, kind: str, tables: Collection[str] | None = None) -> dict[str, str]:
        wanted = self.tables if tables is None else tables
        return {table: f"{kind}:{self.tables[table]}" for table in self.tables if table in wanted}

    def trained_tables(self) -> list[str]:
        return [table for table, key in self.tables.items() if key in self.trainable]

    @cached_property
    def lowest(self) -> int:
        """The first layer that learns; -1 when what comes before the layers does, and their number
        when the head alone does. From here on gradients go no further down.
        """
        if self.trained_tables():
            return -1
        layers = [int(found[1]) for key in self.trainable if (found := LAYER.match(key))]
        return min(layers, default=int(self.config.layers))

    def host(self, step: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        self.calls.append(HostCall(step, inputs, outputs))

    def forward(self, place: Place, outputs: Mapping[str, str]) -> None:
        taps = {tap: self.tap(place, tap) for tap in place.piece.taps}
        self.call(place, place.piece.forward, {}, {**outputs, **taps})

    def backward(self, place: Place, seeds: Mapping[str, str]) -> None:
        """Nothing where the piece has nothing to learn and nothing to pass on."""
        if place.piece.backward is None:
            return
        taps = {tap: self.tap(place, tap) for tap in place.piece.taps}
        outputs = {
            output: f"g:{place.weights[port].place}"
            for port, output in place.piece.gradients.items()
        }
        stream = {STREAM_GRADIENT: f"d:{place.index}"} if place.piece.passes_on else {}
        self.call(place, place.piece.backward, {**seeds, **taps}, {**stream, **outputs})

    def call(
        self,
        place: Place,
        program: Program,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
    ) -> None:
        known = {
            STREAM: f"h:{place.index}",
            **{name: weight_slot(port) for name, port in place.weights.items()},
            **{name: name for name in self.constants},
            **inputs,
        }
        names = [node.result.name for node in program.graph.inputs]
        dropouts = [name for name in names if name.startswith(DROPOUT)]
        known |= {name: f"{DROPOUT}:{place.index}:{name[len(DROPOUT) + 1 :]}" for name in dropouts}
        read = {name: known[name] for name in names}
        self.calls.append(Call(program.name, read, outputs))

    @staticmethod
    def tap(place: Place, name: str) -> str:
        return f"t:{place.index}:{name.removeprefix('t_')}"

    # ---- the whole ----

    def finished(self) -> TrainingPlan:
        programs = {
            program.name: program
            for piece in self.pieces.values()
            for program in (piece.forward, piece.backward)
            if program is not None
        }
        return TrainingPlan(
            profile=self.profile["name"],
            sequence=self.size.sequence,
            batch=self.size.batch,
            layers=self.config.layers,
            vocabulary=self.config.vocabulary,
            programs=programs,
            calls=tuple(self.calls),
            parameters=self.layouts,
            slots=make_slots(self.calls, programs, self.layouts),
            constants=self.constants,
        )


def weight_slot(port: WeightPort) -> str:
    return f"{'adapter' if port.layout.adapter else 'w'}:{port.place}"


def check_keys(wanted: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise UsageError(f"the model has no parameter {unknown[0]} that could be trained")
