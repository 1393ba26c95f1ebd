"""Graphs at random, for tests that compare two ways to run the same thing."""

from __future__ import annotations

import numpy as np

from orion.ir import Graph, Value

Shape = tuple[int, int, int, int]

UNARY = ("exp", "square", "sigmoid", "silu", "tanh", "abs", "relu", "identity")
BINARY = ("add", "sub", "mul", "maximum", "minimum")


def random_graph(seed: int, shape: Shape = (1, 4, 2, 6)) -> Graph:
    """Ops that the passes know, stacked at random, with dead ends, repeats and plain identities."""
    random = np.random.RandomState(seed)
    g = Graph(f"random{seed}")
    values = [g.input(name, "fp32", shape) for name in ("b", "a")]
    values.append(g.weight("w", "fp32", (1, 4, 1, 1), "w"))
    values.append(g.full(values[0].type, 0.5))

    def pick() -> Value:
        return values[random.randint(len(values))]

    def wide() -> Value:
        return g.add(pick(), values[0])

    for _ in range(random.randint(5, 25)):
        choice = random.randint(8)
        if choice < 3:
            values.append(getattr(g, UNARY[random.randint(len(UNARY))])(pick()))
        elif choice < 5:
            values.append(getattr(g, BINARY[random.randint(len(BINARY))])(pick(), pick()))
        elif choice == 5:
            first, second = g.split(wide(), axis=1, sizes=(1, 3))
            values.append(g.concat([second, first], axis=1))
        elif choice == 6:
            flat = (shape[1] * shape[2], shape[3])
            turned = g.reshape(g.reshape(wide(), shape=flat), shape=shape)
            values.append(g.rms_norm(turned, values[2], axis=1, epsilon=1e-5))
        else:
            values.append(g.softmax(wide(), axis=int(random.randint(4))))
    for index in range(3):
        value = pick()
        g.output(f"out{index}", value if value.type.shape == shape else g.add(value, values[0]))
    return g
