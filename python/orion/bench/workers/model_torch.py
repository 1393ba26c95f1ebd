"""A model of random weights in PyTorch: decodes or reads prompts whenever a line asks for it.

Arguments: the model's config as JSON, the type of the weights (float32 or bfloat16), threads.
Requests as for our own worker. The models are transformers' own, run as they are.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
import transformers  # type: ignore[import-not-found, unused-ignore]

CONFIG, TYPE, THREADS = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
STRIDE = 7919


class Model:
    def __init__(self) -> None:
        kind = {name: value for name, value in CONFIG.items() if name != "model_type"}
        config = transformers.AutoConfig.for_model(CONFIG["model_type"], **kind)
        found = transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, TYPE))
        self.model = found.eval()
        self.reset()

    def reset(self) -> None:
        self.cache: Any = transformers.DynamicCache()
        self.next = 0

    def feed(self, ids: list[int]) -> None:
        found = self.model(torch.tensor([ids]), past_key_values=self.cache, logits_to_keep=1)
        self.cache = found.past_key_values
        self.next = int(found.logits[0, -1].argmax())


def main() -> None:
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = Model()
    for line in sys.stdin:
        request = json.loads(line)
        model.reset()
        tokens = request["tokens"]
        if request["work"] == "decode":
            model.feed([(i * STRIDE) % CONFIG["vocab_size"] for i in range(request["before"])])
            for _ in range(2):
                model.feed([model.next])
        prompt = [(i * STRIDE) % CONFIG["vocab_size"] for i in range(tokens)]
        begun = time.perf_counter()
        if request["work"] == "decode":
            for _ in range(tokens):
                model.feed([model.next])
        else:
            model.feed(prompt)
        print(json.dumps({"rate": tokens / (time.perf_counter() - begun)}), flush=True)


with torch.inference_mode():
    main()
