"""Arguments that several commands take, spelled as mlx_lm spells them."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orion.errors import UsageError


def path(text: str) -> Path:
    """A shell's unset variable is not the present directory."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, got an empty text")
    return Path(text)


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """The type of whole numbers in a range."""
    fit = f"from {least} to {most}" if most is not None else f"of {least} or more"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"expected a whole number {fit}, got {text!r}")
        return value

    return read


def distance(text: str) -> float:
    """The type of tolerances."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, got {text!r}")
    return value


def add_model(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--model",
        required=required,
        type=path,
        metavar="PATH",
        help="a model directory or bundle, an id on the hub (org/name), a file or a preset",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        default="auto",
        help="cpu, sim, sim:PROFILE, ane or auto (default: auto)",
    )
    add_cache(parser)


def add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cache-dir",
        type=path,
        metavar="DIR",
        help="where compiled programs are kept (default: $ORION_CACHE, else ~/.cache/orion)",
    )


def add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights",
        choices=("auto", "fp32", "fp16", "int8"),
        default="auto",
        help="their type on the device (default: auto, the checkpoint's on cpu, fp16 elsewhere)",
    )


def add_layers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--layers-per-program",
        type=whole(1),
        metavar="N",
        help="split a step into programs of N layers (default: as few as the limits allow)",
    )


def add_adapter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adapter-path",
        type=path,
        metavar="DIR",
        help="a low-rank adapter in PEFT's form that is used with the model",
    )


def add_adapter_room(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adapter-rank",
        type=whole(1),
        metavar="R",
        help="leave room for low-rank adapters of at most this rank (default: none)",
    )
    parser.add_argument(
        "--adapter-targets",
        metavar="NAME,...",
        help="the layers they may change (default: q_proj,v_proj)",
    )


def adapter_room_of(arguments: argparse.Namespace) -> Any:
    """What `add_adapter_room` read, as `orion.compile` takes it."""
    from orion.compile import AdapterRoom

    if arguments.adapter_rank is None:
        if arguments.adapter_targets is not None:
            raise UsageError("--adapter-targets are of adapters; say of which --adapter-rank too.")
        return None
    targets = arguments.adapter_targets or "q_proj,v_proj"
    names = [name.strip() for name in targets.split(",")]
    return AdapterRoom(arguments.adapter_rank, tuple(sorted(filter(None, names))))


def add_json(parser: argparse.ArgumentParser, what: str = "one JSON object") -> None:
    parser.add_argument("--json", action="store_true", help=f"print {what} and nothing else")


def profiles_of(asked: str, known: Sequence[str]) -> list[str]:
    """Names with commas between, each once. UsageError for one that is not known."""
    names = list(dict.fromkeys(name.strip() for name in asked.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"No profile is called {name!r}; there are {', '.join(known)}.")
    return names


def add_trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trace",
        action="store_true",
        help="print the calls of the private framework, in order, to standard error",
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        *("--temp", "--temperature"),
        type=float,
        default=0.0,
        help="0 takes the likeliest token (default: 0)",
    )
    parser.add_argument(
        "--top-p", type=float, default=1.0, help="keep this much probability (default: 1, all)"
    )
    parser.add_argument(
        "--top-k", type=int, default=0, help="keep this many tokens (default: 0, all)"
    )
    parser.add_argument(
        "--min-p",
        type=float,
        default=0.0,
        help="drop what is less likely than this share of the best's (0: nothing)",
    )
    parser.add_argument(
        "--repetition-penalty",
        type=float,
        default=1.0,
        metavar="R",
        help="divide the logits of tokens that came before by this (default: 1, none)",
    )
    parser.add_argument("--seed", type=int, help="repeat a draw (default: another each time)")
    parser.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="end before this text; may be given several times",
    )


SAMPLING = ("temp", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "stop")


def sampling_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_sampling` read, as `Model.generate` takes it."""
    return {name: getattr(arguments, name) for name in SAMPLING}
