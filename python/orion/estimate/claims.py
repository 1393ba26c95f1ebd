"""Published numbers of whole models, to stand beside predictions; other people's claims.

`profiles`: of the chip they were measured on, or of the nearest that there is, as `chip` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .source import Configured

# Sizes by which a model is known: channels, layers, vocabulary.
MODELS = {"GPT-2 124M": (768, 12, 50257), "Stories110M": (768, 12, 32000)}


@dataclass(frozen=True)
class Claim:
    """`quantity`: a field of a model's or, with `way`, of a training step's estimate."""

    model: str
    chip: str
    profiles: tuple[str, ...]
    quantity: str
    value: float
    text: str
    source: str
    way: str | None = None


M4_MAX = ("m4max-macos15", "paper")
CLAIMS = (
    Claim("GPT-2 124M", "M4 Max", M4_MAX, "decode_tokens_per_s", 170, "decode tokens/s", "paper"),
    Claim(
        *("GPT-2 124M", "M4 Pro", ("m4-macos15",), "decode_tokens_per_s", 160),
        *("decode tokens/s", "a rerun of the paper's code"),
    ),
    Claim(
        *("Stories110M", "M4 Max", M4_MAX, "step_s", 1.345),
        *("s a step of 4 x 256 tokens, weights reloaded", "paper", "reload"),
    ),
    Claim(
        *("Stories110M", "M4 Max", M4_MAX, "step_s", 5.108),
        *("s a step of 4 x 256 tokens, programs recompiled", "paper", "recompile"),
    ),
    Claim(
        *("Stories110M", "M4", ("m4-macos15",), "microbatch_s", 0.091),
        *("s for 256 tokens, weights as inputs", "maderix", "inputs"),
    ),
    Claim(
        *("Stories110M", "M4 Max", M4_MAX, "microbatch_s", 0.0753),
        *("s for 256 tokens, programs as they are", "maderix, by the paper's author", "recompile"),
    ),
    Claim(
        *("Stories110M", "M1 Pro", ("m1-macos15",), "microbatch_s", 0.310),
        *("s for 256 tokens, updates apart", "a rerun of the paper's code", "reload"),
    ),
    Claim(
        *("Stories110M", "M4 Pro", ("m4-macos15",), "microbatch_s", 0.221),
        *("s for 256 tokens, updates apart", "a rerun of the paper's code", "reload"),
    ),
)


def name_of(model: Configured) -> str | None:
    """The published model that this one has the sizes of."""
    config = model.config
    channels = getattr(config, "n_embd", None) or getattr(config, "hidden_size", None)
    sizes = (channels, config.layers, config.vocabulary)
    return next((name for name, known in MODELS.items() if known == sizes), None)


def claims(model: Configured, profile: str, way: str | None = None) -> list[Claim]:
    name = name_of(model)
    return [
        claim
        for claim in CLAIMS
        if claim.model == name and profile in claim.profiles and claim.way == way
    ]


def beside(claim: Claim, estimate: Any, profile: str) -> Mapping[str, Any]:
    """The claim with the prediction and the prediction's ratio to it."""
    predicted = getattr(estimate, claim.quantity)
    return {
        "model": claim.model,
        "profile": profile,
        "chip": claim.chip,
        "what": claim.text,
        "published": claim.value,
        "predicted": predicted,
        "ratio": predicted / claim.value,
        "source": claim.source,
    }
