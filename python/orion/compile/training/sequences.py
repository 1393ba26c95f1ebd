"""Folds a batch of sequences into the columns of a graph: all but attention treats them alike.

A graph built for B*S columns has attention among all of them. Here each sequence gets its own:

    %o = attention %q %k %v %mask_new       q [K, G, D, B*S], k, v [K, 1, D, B*S]

becomes, with column b*S + s for token s of sequence b,

    %o = unfolded (attention (folded %q) (folded %k) (folded %v) %mask)

where folded puts [K.., B*S] as [B*K.., S], and the mask is [1, 1, S, S].
"""

from __future__ import annotations

from ...ir import Graph, Node, Value

MASK = "mask"


def fold_sequences(graph: Graph, batch: int) -> None:
    nodes = graph.walk("attention")
    if not nodes:
        return
    first = nodes[0].operands[3]
    sequence = first.type.shape[-1] // batch
    with graph.before(first.node):
        mask = graph.input(MASK, first.type.dtype, (1, 1, sequence, sequence), "mask over=new")
    for node in nodes:
        query, key, value, _ = node.operands
        with graph.before(node), graph.scope(node.result.name):
            parts = [folded(graph, each, batch) for each in (query, key, value)]
            mixed = graph.attention(parts[0], [*parts[1:], mask], scale=node["scale"])
            result = unfolded(graph, mixed, node, batch)
        graph.replace(node.result, result)
    graph.drop(nodes)
    graph.drop([first.node])


def folded(g: Graph, x: Value, batch: int) -> Value:
    heads, shared, size, columns = x.type.shape
    if batch == 1:
        return x
    channels, sequence = heads * shared * size, columns // batch
    apart = g.reshape(x, shape=(channels, batch, sequence))
    turned = g.transpose(apart, perm=(1, 0, 2))
    return g.reshape(turned, shape=(batch * heads, shared, size, sequence))


def unfolded(g: Graph, x: Value, node: Node, batch: int) -> Value:
    if batch == 1:
        return x
    heads, shared, size, columns = node.result.type.shape
    apart = g.reshape(x, shape=(batch, heads * shared * size, columns // batch))
    turned = g.transpose(apart, perm=(1, 0, 2))
    return g.reshape(turned, shape=(heads, shared, size, columns))
