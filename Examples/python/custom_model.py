"""Registers a model family that is no part of Orion, trains one of its kind, and lets it speak.

    python custom_model.py [DEVICE]

The family is parallel_llama.py: one file, without a word about training or devices.
"""

import json
import sys
import tempfile
from pathlib import Path

import parallel_llama

import orion
from orion import models
from orion.data import make_data
from orion.train import finish

CONFIG = {
    "model_type": "parallel_llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 256,  # bytes are its tokens
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
TEXT = "One is one, two is two, three is three. "


def main() -> None:
    device = sys.argv[1] if len(sys.argv) > 1 else "auto"
    models.register("parallel_llama", parallel_llama)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "config.json").write_text(json.dumps(CONFIG))
        (place / "text").write_text(TEXT * 60)
        make_data([place / "text"], place / "data")
        trainer = orion.Trainer(
            preset=place / "config.json",
            data=place / "data",
            output=place / "run",
            device=device,
            iters=100,
            batch_size=8,
            max_seq_length=64,
            learning_rate=5e-3,
            steps_per_eval=0,
            # The gradients of the first step are compared with a reference, parameter by parameter.
            verify=1,
        )
        with trainer:
            lines = list(trainer.steps())
            model = finish(trainer)["model"]
        worst = lines[0]["grad_rel_l2_max"]
        print(f"loss {lines[0]['loss']:.3f} at first, {lines[-1]['loss']:.3f} at last")
        print(f"gradients within {worst:.1e} of the reference, relative L2, at worst")
        with orion.load(model, device=device) as opened:
            print(opened.generate("One is", max_tokens=40).text)


if __name__ == "__main__":
    main()
