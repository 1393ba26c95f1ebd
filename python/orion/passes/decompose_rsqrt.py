"""Write `rsqrt` as a power where the profile does not emit it.

%b = rsqrt %a        becomes    %b = pow %a -0.5
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph


def decompose_rsqrt(graph: Graph, profile: Mapping[str, Any]) -> None:
    if profile["preferences"]["emits_rsqrt"]:
        return
    nodes = graph.walk("rsqrt")
    for node in nodes:
        with graph.before(node):
            power = graph.pow(node.x, -0.5, name=f"{node.result.name}_pow")
        graph.replace(node.result, power)
    graph.drop(nodes)
