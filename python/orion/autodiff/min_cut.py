"""The cheapest set of edges that parts a sink from a source; knows no graph of ops."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from itertools import pairwise
from math import inf

Vertex = Hashable


class Network:
    """Directed edges with capacities, which may be infinite."""

    def __init__(self) -> None:
        self._room: dict[Vertex, dict[Vertex, float]] = {}

    def edge(self, start: Vertex, end: Vertex, capacity: float) -> None:
        """Edges between the same two vertices add up."""
        ends = self._room.setdefault(start, {})
        ends[end] = ends.get(end, 0.0) + capacity
        self._room.setdefault(end, {}).setdefault(start, 0.0)

    def source_side(self, source: Vertex, sink: Vertex) -> set[Vertex]:
        """The vertices on the source's side of a cheapest cut: flow is sent until no way is left.

        ValueError when every cut is infinite.
        """
        while True:
            before = self._reach(source, sink)
            if sink not in before:
                return set(before)
            way = [sink]
            while way[-1] != source:
                way.append(before[way[-1]])
            way.reverse()
            pairs = list(pairwise(way))
            flow = min(self._room[start][end] for start, end in pairs)
            if flow == inf:
                raise ValueError(f"no finite cut parts {source} from {sink}")
            for start, end in pairs:
                self._room[start][end] -= flow
                self._room[end][start] += flow

    def _reach(self, source: Vertex, sink: Vertex) -> dict[Vertex, Vertex]:
        """For each vertex that more flow can reach, the one before it; up to the sink."""
        before: dict[Vertex, Vertex] = {source: source}
        pending = deque([source])
        while pending and sink not in before:
            start = pending.popleft()
            for end, room in self._room.get(start, {}).items():
                if room > 0 and end not in before:
                    before[end] = start
                    pending.append(end)
        return before
