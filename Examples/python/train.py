"""Trains a small Llama on stories that this script writes, and lets it tell one.

python train.py [DEVICE]                   cpu, sim, ane; by default what `auto` finds
"""

import json
import sys
import tempfile
from pathlib import Path

import orion
from orion.data import make_stories
from orion.train import finish

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 384,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def main() -> None:
    device = sys.argv[1] if len(sys.argv) > 1 else "auto"
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        made = make_stories(place / "data", count=1200, vocabulary=CONFIG["vocab_size"])
        print(f"{made.train:,} tokens of stories to train on, {made.valid:,} held out")
        (place / "config.json").write_text(json.dumps(CONFIG))
        trainer = orion.Trainer(
            preset=place / "config.json",
            data=place / "data",
            output=place / "run",
            device=device,
            iters=300,
            batch_size=12,
            max_seq_length=64,
            learning_rate=5e-3,
            lr_schedule="cosine",
            warmup=10,
            steps_per_eval=100,
        )
        with trainer:
            for line in trainer.steps():
                if line["step"] % 50 == 0:
                    held_out = f", held out {line['val_loss']:.3f}" if "val_loss" in line else ""
                    print(f"step {line['step']:3}  loss {line['loss']:.3f}{held_out}")
            report = finish(trainer)
        print(f"{report['device']}: {report['compiles']} programs compiled for the whole run")
        with orion.load(report["model"], device=device) as model:
            print(model.generate("Once there was a", max_tokens=50).text)


if __name__ == "__main__":
    main()
