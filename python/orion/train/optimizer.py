"""AdamW over all parameters, with the gradients' norm held: one pass over memory an update."""

from __future__ import annotations

import math

from ..runtime import kernels
from .parameters import Parameters
from .settings import Settings
from .strategy import Strategy

# As PyTorch's clip_grad_norm_ has it.
CLIP_EPSILON = 1e-6


def gradient_norm(parameters: Parameters) -> float:
    """Of all gradients together; not finite when one of them is not."""
    total = 0.0
    for key in parameters.trainable:
        with parameters.gradients.seen(key) as gradient:
            total += kernels.sum_of_squares(gradient)
    return math.sqrt(total)


def update(
    parameters: Parameters,
    strategy: Strategy,
    settings: Settings,
    *,
    step: int,
    learning_rate: float,
    norm: float,
) -> None:
    """Moves the masters by their gradients, and hands the device what it computes with.

    `step` counts updates from 1; `norm` is finite.
    """
    clip = settings.grad_clip
    scale = min(1.0, clip / (norm + CLIP_EPSILON)) if clip else 1.0
    with parameters.held(), strategy.writing() as writer:
        for key in parameters.trainable:
            whole = writer.whole(key)
            kernels.adamw(
                parameters.master(key),
                parameters.gradients[key],
                parameters.first[key],
                parameters.second[key],
                step=step,
                learning_rate=learning_rate,
                beta1=settings.beta1,
                beta2=settings.beta2,
                epsilon=settings.epsilon,
                weight_decay=settings.weight_decay,
                gradient_scale=scale,
                copy=whole,
            )
            if whole is None:
                writer.write(key)
