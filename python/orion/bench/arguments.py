"""The arguments of `orion bench` and scripts/bench; importing them imports nothing else."""

from __future__ import annotations

import argparse
from pathlib import Path

# The keys of command.CASES.
CASES = ("kernels", "prefill", "decode", "train", "update", "compile", "startup")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", nargs="+", choices=CASES)
    parser.add_argument(
        "--repeats", type=int, default=5, metavar="N", help="runs of which the median is told"
    )
    parser.add_argument(
        "--peer",
        metavar="NAME",
        help="measured in turn with us, in the cases that it runs: openblas (kernels); llama.cpp,"
        " ctranslate2, torch (with transformers), llama2.c (prefill, decode); onnxruntime"
        " (prefill); jax, torch, torch-compile (train)",
    )
    parser.add_argument(
        "--peer-python",
        metavar="FILE",
        help="the Python that has the peer (default: $ORION_PEER_PYTHON, else this one)",
    )
    parser.add_argument(
        "--peer-binary",
        metavar="FILE",
        help="the program of llama2.c (default: $ORION_PEER_BINARY)",
    )
    parser.add_argument("--json", action="store_true", help="an array of rows and nothing else")
    parser.add_argument("--save-baseline", type=Path, metavar="FILE")
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="warn of what is slower than a baseline"
    )
