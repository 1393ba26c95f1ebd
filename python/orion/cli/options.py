"""Arguments that several commands take, spelled as mlx_lm spells them."""

import argparse
from pathlib import Path
from typing import Any


def add_model(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--model",
        required=required,
        type=Path,
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
        type=Path,
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
        type=int,
        metavar="N",
        help="split a step into programs of N layers (default: as few as the limits allow)",
    )


def add_adapter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adapter-path",
        type=Path,
        metavar="DIR",
        help="a low-rank adapter in PEFT's form that is used with the model",
    )


def add_adapter_room(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adapter-rank",
        type=int,
        metavar="R",
        help="leave room for low-rank adapters of at most this rank (default: none)",
    )
    parser.add_argument(
        "--adapter-targets",
        default="q_proj,v_proj",
        metavar="NAME,...",
        help="the layers they may change (default: q_proj,v_proj)",
    )


def adapter_room_of(arguments: argparse.Namespace) -> Any:
    """What `add_adapter_room` read, as `orion.compile` takes it."""
    from orion.compile import AdapterRoom

    if arguments.adapter_rank is None:
        return None
    names = [name.strip() for name in arguments.adapter_targets.split(",")]
    return AdapterRoom(arguments.adapter_rank, tuple(sorted(filter(None, names))))


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trace",
        action="store_true",
        help="print the calls of the private framework, in order, to standard error",
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        *("--temp", "--temperature"), type=float, default=0.0, help="0 takes the likeliest token"
    )
    parser.add_argument("--top-p", type=float, default=1.0, help="keep this much probability")
    parser.add_argument("--top-k", type=int, default=0, help="keep this many tokens (0: all)")
    parser.add_argument(
        "--min-p", type=float, default=0.0, help="drop what is this much less likely than the best"
    )
    parser.add_argument(
        "--repetition-penalty",
        type=float,
        default=1.0,
        metavar="R",
        help="divide the logits of tokens that came before by this (1: leave them)",
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
