"""The process of one model on `cpu`: decodes or reads prompts whenever a line asks for it.

Arguments: model, weights. Requests: {"work": "decode", "before": 32, "tokens": 128} and
{"work": "prefill", "tokens": 512}; the answers hold tokens a second and the process's peak.
"""

from __future__ import annotations

import json
import sys
import time

from ..generate import load
from ..runtime.memory import peak_memory

STRIDE = 7919  # ids all over the vocabulary


def main() -> None:
    model = load(sys.argv[1], "cpu", weights=sys.argv[2])
    session, vocabulary = model.session, model.session.vocabulary
    for line in sys.stdin:
        request = json.loads(line)
        session.reset()
        tokens = request["tokens"]
        if request["work"] == "decode":
            session.feed([(i * STRIDE) % vocabulary for i in range(request["before"])])
            session.generate(2)
        prompt = [(i * STRIDE) % vocabulary for i in range(tokens)]
        begun = time.perf_counter()
        if request["work"] == "decode":
            session.generate(tokens)
        else:
            session.feed(prompt)
        seconds = time.perf_counter() - begun
        print(json.dumps({"rate": tokens / seconds, "peak_bytes": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
