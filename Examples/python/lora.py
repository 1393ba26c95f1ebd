"""Trains an adapter beside a model that stays as it is, then generates with and without it.

    python lora.py [DEVICE]

The model learns what one voice says, the adapter another; both then continue the same words.
"""

import json
import sys
import tempfile
from pathlib import Path

import orion
from orion.data import make_data
from orion.train import Lora, finish

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 256,  # bytes are its tokens
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
OPTIONS = {"batch_size": 8, "max_seq_length": 64, "steps_per_eval": 0}
FIRST = "The cat sat on the mat. The dog lay on the rug. "
SECOND = "The cat ran up the tree. The dog ran in the sun. "
PROMPT = "The cat "


def main() -> None:
    device = sys.argv[1] if len(sys.argv) > 1 else "auto"
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "config.json").write_text(json.dumps(CONFIG))
        model = learn(place / "first", FIRST, device, preset=place / "config.json", iters=120)
        adapter = learn(
            place / "second",
            SECOND,
            device,
            model=model,
            iters=120,
            lora=Lora(rank=8, alpha=32.0, target_modules="q_proj,v_proj,up_proj,down_proj"),
        )
        size = sum(path.stat().st_size for path in Path(adapter).glob("*.safetensors"))
        print(f"the adapter is {size:,} bytes, which peft reads too")
        with orion.load(model, device=device, adapter_path=adapter) as opened:
            for name in ("default", None):
                opened.use_adapter(name)
                text = opened.generate(PROMPT, max_tokens=40).text
                print(f"{'with' if name else 'without':>7} the adapter: {text!r}")


def learn(place: Path, text: str, device: str, **options) -> str:
    """Where the trained model, or adapter, lies."""
    place.mkdir()
    (place / "text").write_text(text * 60)
    make_data([place / "text"], place / "data")
    trainer = orion.Trainer(
        data=place / "data",
        output=place / "run",
        device=device,
        learning_rate=5e-3,
        **OPTIONS,
        **options,
    )
    with trainer:
        losses = [line["loss"] for line in trainer.steps()]
        print(f"{place.name}: loss {losses[0]:.3f} at first, {losses[-1]:.3f} at last")
        return finish(trainer)["model"]


if __name__ == "__main__":
    main()
