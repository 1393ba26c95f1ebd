"""A Llama of random fp32 weights in llama2.c: runs its program whenever a line asks for it.

Arguments: the model's config as JSON, fp32, threads, the program (llama2.c's `run`). Requests as
for our own worker. The program tells the rate of all tokens after the first, and reads a prompt
one token at a time; so a decode's rate counts the tokens before it too.
"""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CONFIG, THREADS, PROGRAM = json.loads(sys.argv[1]), sys.argv[3], sys.argv[4]
RATE = re.compile(rb"achieved tok/s: ([0-9.]+)")
# Its tokenizer looks up the space that it puts before a prompt, and spells a byte as 3 + byte.
SPECIAL, BYTES = ("<unk>", "<s>", "</s>"), 256
BEGIN = 1


def arrays() -> Iterator[np.ndarray]:
    """In the file's order; the embedding is the head, too."""
    c, layers, inner = (
        CONFIG[name] for name in ("hidden_size", "num_hidden_layers", "intermediate_size")
    )
    size = c // CONFIG["num_attention_heads"]
    narrow = size * CONFIG["num_key_value_heads"]
    random = np.random.default_rng(0)

    def matrix(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32) * np.float32(0.02)

    embedding = matrix(CONFIG["vocab_size"], c)
    # A text ends where the token comes that begins one: it is never the likeliest.
    embedding[BEGIN] = 0
    yield embedding
    yield np.ones((layers, c), np.float32)
    for rows, columns in ((c, c), (narrow, c), (narrow, c), (c, c)):
        yield matrix(layers, rows, columns)
    yield np.ones((layers, c), np.float32)
    for rows, columns in ((inner, c), (c, inner), (inner, c)):
        yield matrix(layers, rows, columns)
    yield np.ones(c, np.float32)
    # Where older programs had tables of the rotation.
    yield np.zeros((2, CONFIG["max_position_embeddings"], size // 2), np.float32)


def write_model(path: Path) -> None:
    names = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
        "max_position_embeddings",
    )
    with path.open("wb") as file:
        file.write(struct.pack("<7i", *(CONFIG[name] for name in names)))
        for array in arrays():
            array.astype("<f4", copy=False).tofile(file)


def write_tokenizer(path: Path) -> None:
    """A token for each special, each byte and the space; the rest are too long to be met."""
    pieces = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(BYTES)), " "]
    pieces += [f"token {i}" for i in range(len(pieces), CONFIG["vocab_size"])]
    with path.open("wb") as file:
        file.write(struct.pack("<i", max(map(len, pieces))))
        for piece in pieces:
            file.write(struct.pack("<fi", 0, len(piece)) + piece.encode())


def main() -> None:
    # Whoever ends us ends the program that runs: subprocess.run kills it on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as directory:
        model, tokenizer = Path(directory) / "model.bin", Path(directory) / "tokenizer.bin"
        write_model(model)
        write_tokenizer(tokenizer)
        command = [PROGRAM, str(model), "-z", str(tokenizer), "-t", "0"]
        for line in sys.stdin:
            request = json.loads(line)
            decode = request["work"] == "decode"
            before = request["before"] if decode else request["tokens"]
            steps = before + (request["tokens"] if decode else 0)
            # The token that begins a text and the space are part of the prompt.
            prompt = "".join(chr(ord("a") + i % 26) for i in range(before - 2))
            done = subprocess.run(
                [*command, "-n", str(steps), "-i", prompt],
                capture_output=True,
                check=False,
                env={**os.environ, "OMP_NUM_THREADS": THREADS},
            )
            told = RATE.search(done.stderr)
            if done.returncode or told is None:
                said = done.stderr.decode(errors="replace").strip()
                raise SystemExit(f"{PROGRAM} ended with {done.returncode} and no rate: {said}")
            print(json.dumps({"rate": float(told[1])}), flush=True)


main()
