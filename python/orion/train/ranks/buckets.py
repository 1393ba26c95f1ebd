"""Which stretches of the gradients' memory can be summed after which call; talks to nobody.

    calls                          ready after it
    head_backward                  final norm, untied head
    layer_backward of the last     its weights
    ...                            each layer's
    unembed                        embedding: of a tied one the head's share has come before

Stretches that are smaller than `least_bytes` wait for the next ones, which mostly lie beside them.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...compile.training import TrainingPlan

Stretch = tuple[int, int]
LEAST_BYTES = 1 << 18


def make_buckets(
    plan: TrainingPlan, places: Mapping[str, slice], least_bytes: int = LEAST_BYTES
) -> dict[int, list[slice]]:
    """By the index of a call, stretches of fp32 values; together all that calls add anything to.

    `places` are the parameters' stretches by key.
    """
    last = last_calls(plan)
    buckets: dict[int, list[slice]] = {}
    waiting: list[Stretch] = []
    indices = sorted(set(last.values()))
    for index in indices:
        ready = [places[key] for key in last if last[key] == index]
        waiting = joined([*waiting, *((place.start, place.stop) for place in ready)])
        size = 4 * sum(end - start for start, end in waiting)
        if size >= least_bytes or index == indices[-1]:
            buckets[index] = [slice(start, end) for start, end in waiting]
            waiting = []
    return buckets


def last_calls(plan: TrainingPlan) -> dict[str, int]:
    """By key, the call after which nothing is added to a parameter's gradient."""
    last: dict[str, int] = {}
    for index, call in enumerate(plan.calls):
        for slot in call.outputs.values():
            head, _, rest = slot.partition(":")
            if head == "g":
                known = plan.slots.get(slot)
                last[(known.key if known else None) or rest] = index
    trainable = set(plan.trainable)
    return {key: index for key, index in last.items() if key in trainable}


def joined(stretches: list[Stretch]) -> list[Stretch]:
    """In order, those that touch as one."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
