"""How well each token foretells the next by counting pairs: what a trained model must beat."""

from __future__ import annotations

import numpy as np


def bigram_loss(train: np.ndarray, valid: np.ndarray, vocabulary: int) -> float:
    """Nats a token on `valid` of pair counts of `train`, smoothed by the best of a few weights.

    A pair's chance = (count + a * chance of its second token) / (count of its first + a).
    """
    train, valid = np.asarray(train, np.int64), np.asarray(valid, np.int64)
    pairs, counts = np.unique(train[:-1] * vocabulary + train[1:], return_counts=True)
    firsts = np.bincount(train[:-1], minlength=vocabulary)
    single = (np.bincount(train, minlength=vocabulary) + 1) / (len(train) + vocabulary)
    keys = valid[:-1] * vocabulary + valid[1:]
    place = np.minimum(np.searchsorted(pairs, keys), len(pairs) - 1)
    seen = np.where(pairs[place] == keys, counts[place], 0)
    return float(
        min(
            -np.log((seen + a * single[valid[1:]]) / (firsts[valid[:-1]] + a)).mean()
            for a in (0.5, 1, 2, 5, 10, 20)
        )
    )
