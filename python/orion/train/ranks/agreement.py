"""What all ranks must have alike: settings before the first step, parameters all along."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..parameters import Parameters
from .base import Ranks, RanksError

# How many differing settings, or parameters, an error names.
NAMED = 6


def check_facts(ranks: Ranks, facts: Mapping[str, Any]) -> None:
    """RanksError names the facts that are not the same on all ranks."""
    rows = ranks.gather(dict(facts))
    names = dict.fromkeys(name for row in rows for name in row)
    differing = [name for name in names if any(row.get(name) != rows[0].get(name) for row in rows)]
    if differing:
        said = [f"{name} is {held_by([row.get(name) for row in rows])}" for name in differing]
        more = f"; and {len(said) - NAMED} more" if len(said) > NAMED else ""
        raise RanksError(
            f"the ranks have different configurations: {'; '.join(said[:NAMED])}{more}. Start all"
            " of them with the same command over the same files",
            exit_code=2,
        )


def held_by(values: Sequence[Any]) -> str:
    """ "1 on rank 0 and 2 on ranks 1, 2"."""
    holders: dict[str, list[int]] = {}
    for rank, value in enumerate(values):
        holders.setdefault(repr(value), []).append(rank)
    return " and ".join(
        f"{value} on rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"
        for value, ranks in holders.items()
    )


def check_parameters(ranks: Ranks, parameters: Parameters, step: int) -> None:
    """RanksError names the ranks whose masters or moments are not those of most others."""
    if ranks.count == 1:
        return
    with parameters.held():
        found = digests(parameters)
    whole = hashlib.sha256("".join(found.values()).encode()).hexdigest()
    rows = ranks.gather(whole)
    if len(set(rows)) == 1:
        return
    # Of equally many the first rank's.
    right = Counter(rows).most_common(1)[0][0]
    wrong = [rank for rank, row in enumerate(rows) if row != right]
    keys = ranks.gather(found)
    good = keys[rows.index(right)]
    differing = [key for key in good if any(keys[rank].get(key) != good[key] for rank in wrong)]
    more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
    raise RanksError(
        f"step {step}: the parameters of {', '.join(map(ranks.place, wrong))} are not those of"
        f" {ranks.place(rows.index(right))}: {', '.join(differing[:NAMED])}{more}. Nothing they"
        " part in was saved; look for faulty memory or another version of MPI there, and go on with"
        " --resume"
    )


def digests(parameters: Parameters) -> dict[str, str]:
    """By key, of the master and its moments; inside `held`."""
    found = {}
    for key in parameters.trainable:
        digest = hashlib.sha256()
        for array in (parameters.master(key), parameters.first[key], parameters.second[key]):
            digest.update(array.data)
        found[key] = digest.hexdigest()
    return found
