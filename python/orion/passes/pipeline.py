"""The order of the passes, and the loop that runs them; the verifier runs before and after each.

Order matters: composites go first, while their operands are still what the model wrote; clean-up
follows; ports come last, so that nothing moves them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..ir import Graph, VerifyError, verify
from .attach_adapters import attach_adapters
from .cache_rows import cache_rows
from .check_emittable import check_emittable
from .choose_precision import choose_precision
from .decompose_attention import decompose_attention
from .decompose_gelu import decompose_gelu
from .decompose_norms import decompose_norms
from .decompose_rope import decompose_rope
from .decompose_rsqrt import decompose_rsqrt
from .drop_dead_nodes import drop_dead_nodes
from .drop_identities import drop_identities
from .fold_constants import fold_constants
from .merge_casts import merge_casts
from .order_ports import order_ports
from .part_attention_gradients import part_attention_gradients
from .place_new_keys import place_new_keys
from .share_common_subexpressions import share_common_subexpressions
from .store_weights import store_weights

Pass = Callable[[Graph, Mapping[str, Any]], None]

PIPELINE: tuple[Pass, ...] = (
    attach_adapters,
    cache_rows,
    place_new_keys,
    part_attention_gradients,
    decompose_attention,
    decompose_rope,
    decompose_norms,
    decompose_gelu,
    decompose_rsqrt,
    choose_precision,
    store_weights,
    merge_casts,
    drop_identities,
    fold_constants,
    share_common_subexpressions,
    drop_dead_nodes,
    order_ports,
    check_emittable,
)


def run_passes(
    graph: Graph, profile: Mapping[str, Any], passes: Sequence[Pass] = PIPELINE
) -> Graph:
    """Rewrites `graph` in place for `profile`, as `orion_profile_json` gives it, and returns it."""
    verify(graph)
    for rewrite in passes:
        rewrite(graph, profile)
        try:
            verify(graph)
        except VerifyError as error:
            raise VerifyError(f"after {rewrite.__name__}: {error}") from None
    return graph
