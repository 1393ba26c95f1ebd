"""The whole way on one machine: stories, a Llama trained on them, resumed, adapted, asked.

    for message in demo("there", device="sim"): print(message)

Every step is the one that the commands take; the messages name them. Prints nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .data import bigram_loss, make_stories, story
from .data.tokens import read
from .errors import OrionError, UsageError
from .files import check_new
from .generate import load
from .runtime import Device
from .train import Lora, Settings, Trainer, finish

PROMPT = "Once there was a"
STORIES, VOCABULARY = 3000, 384
SEQUENCE, BATCH, ITERS = 128, 16, 300
# Whom and what the adapter tells of.
HERO, THING = "Mia", "kite"
ADAPTED_STORIES, ADAPTED_ITERS = 240, 60
MODEL = {
    "model_type": "llama",
    "hidden_size": 96,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SHOWN_TOKENS = 60


@dataclass
class Report:
    """What the demo measured. Seconds are this machine's, `virtual_s` the simulated device's."""

    device: str = ""
    profile: str = ""
    steps: int = 0
    seconds: float = 0.0
    virtual_s: float = 0.0
    compiles: int = 0
    compiles_after_first_step: int = 0
    reloads: int = 0
    loaded_programs: int = 0
    weight_update: str = ""
    first_loss: float = 0.0
    val_loss: float = 0.0
    bigram_loss: float = 0.0
    adapter_loss_before: float = 0.0
    adapter_loss: float = 0.0
    texts: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def rows(self) -> list[tuple[str, object]]:
        predicted = self.virtual_s / max(1, self.steps) * 1e3
        return [
            ("device", f"{self.device} ({self.profile})"),
            ("steps", self.steps),
            ("steps/s here", f"{self.steps / max(self.seconds, 1e-9):.2f}"),
            ("predicted step on the device", f"{predicted:.3g} ms" if predicted else "-"),
            ("compiles", self.compiles),
            ("compiles after the first step", self.compiles_after_first_step),
            ("weight update", self.weight_update),
            ("reloads", self.reloads),
            ("loaded programs", self.loaded_programs),
            ("loss of the first step", f"{self.first_loss:.3f}"),
            ("loss on held-out stories", f"{self.val_loss:.3f}"),
            ("bigram model of the same text", f"{self.bigram_loss:.3f}"),
            (f"loss on stories of {HERO}'s {THING}", f"{self.adapter_loss_before:.3f}"),
            ("  with the adapter", f"{self.adapter_loss:.3f}"),
        ]


def demo(
    directory: str | Path,
    device: str = "sim",
    iters: int = ITERS,
    report: Report | None = None,
    *,
    cache_dir: str | Path | None = None,
) -> Iterator[str]:
    """Runs it in `directory`, which must be empty or new; fills `report`.

    OrionError when the trained model is no better than counting pairs of tokens, or the adapter
    leaves a trace.
    """
    if iters < 2:
        raise UsageError(f"--iters is 2 or more, not {iters}.")
    place, found = Path(directory), report if report is not None else Report()
    check_new(place)
    place.mkdir(parents=True, exist_ok=True)
    yield f"orion data --stories {STORIES} --vocabulary {VOCABULARY} -o {place / 'stories'}"
    made = make_stories(place / "stories", count=STORIES, vocabulary=VOCABULARY)
    yield f"  {made.train:,} tokens to train on, {made.valid:,} held out"
    with Device(device, cache_dir=cache_dir) as opened:
        found.device, found.profile = opened.name, opened.profile
        yield from trained(place, opened, iters, found)
        yield from adapted(place, opened, found)
        yield from told(place, opened, found)


def trained(place: Path, device: Device, iters: int, report: Report) -> Iterator[str]:
    (place / "config.json").write_text(json.dumps(MODEL, indent=2) + "\n", encoding="utf-8")
    run, data = place / "run", place / "stories"
    settings = Settings(
        iters=iters,
        batch_size=BATCH,
        max_seq_length=SEQUENCE,
        learning_rate=4e-3,
        lr_schedule="cosine",
        lr_end=4e-4,
        warmup=max(1, iters // 15),
        weight_decay=0.1,
        beta2=0.95,
        steps_per_eval=0,
        val_batches=-1,
        save_every=0,
    )
    yield f"orion train --preset {place / 'config.json'} --data {data} -o {run} --iters {iters}"
    for resume in (False, True):
        if resume:
            yield f"orion train --resume -o {run}"
        trainer = Trainer(
            data=data,
            preset=place / "config.json",
            output=run,
            device=device,
            settings=settings,
            resume=resume,
        )
        with trainer:
            yield from steps_of(
                trainer, iters, until=iters if resume else iters // 2, report=report
            )
            if not resume:
                yield f"  stopped and saved: {trainer.save()}"
                continue
            report.val_loss = trainer.val_loss or 0.0
            finish(trainer)
    train, valid = (read(data / f"{name}.bin").ids for name in ("train", "valid"))
    report.bigram_loss = bigram_loss(train, valid, VOCABULARY)
    yield f"  loss on held-out stories {report.val_loss:.3f}, of a bigram {report.bigram_loss:.3f}"
    if iters >= ITERS and report.val_loss >= report.bigram_loss:
        raise OrionError(
            f"{run}: the loss {report.val_loss:.3f} is not below a bigram's"
            f" {report.bigram_loss:.3f}: training on {device.name} is broken"
        )


def steps_of(trainer: Trainer, iters: int, *, until: int, report: Report) -> Iterator[str]:
    counters = trainer.device.counters()
    for line in trainer.steps():
        step = line["step"]
        if step == 1:
            report.first_loss = line["loss"]
            report.compiles = line["compiles"]
        report.steps += 1
        report.seconds += line["step_s"]
        report.virtual_s += line["virtual_s"]
        report.loaded_programs = line["loaded_programs"]
        report.weight_update = line["weight_update"]
        if step == 1 or step % max(1, iters // 10) == 0:
            yield f"  step {step}/{iters}  loss {line['loss']:.3f}"
        if step == until:
            break
    after = trainer.device.counters()
    if until == iters:
        report.compiles_after_first_step = after["compiles"] - counters["compiles"]
    report.reloads += 0 if report.weight_update == "inputs" else after["loads"] - counters["loads"]


def adapted(place: Path, device: Device, report: Report) -> Iterator[str]:
    data, run, model = place / "kites", place / "lora", place / "run" / "model"
    data.mkdir()
    texts = [
        json.dumps({"text": story(1, number, hero=HERO, thing=THING)})
        for number in range(ADAPTED_STORIES)
    ]
    held = ADAPTED_STORIES // 6
    (data / "train.jsonl").write_text("\n".join(texts[held:]) + "\n", encoding="utf-8")
    (data / "valid.jsonl").write_text("\n".join(texts[:held]) + "\n", encoding="utf-8")
    settings = Settings(
        iters=ADAPTED_ITERS,
        batch_size=8,
        max_seq_length=SEQUENCE,
        learning_rate=1e-2,
        lr_schedule="linear",
        weight_decay=0.0,
        steps_per_eval=0,
        val_batches=-1,
        save_every=0,
    )
    names = "q_proj,v_proj,up_proj,down_proj"
    yield f"orion lora --model {model} --data {data} -o {run} --rank 8 --target-modules {names}"
    lora = Lora(rank=8, alpha=16.0, target_modules=names)
    trainer = Trainer(model, data, output=run, device=device, settings=settings, lora=lora)
    with trainer:
        report.adapter_loss_before = trainer.evaluate()
        for line in trainer.steps():
            if line["step"] % 20 == 0:
                yield f"  step {line['step']}/{ADAPTED_ITERS}  loss {line['loss']:.3f}"
        report.adapter_loss = trainer.val_loss or 0.0
        finish(trainer)


def told(place: Path, device: Device, report: Report) -> Iterator[str]:
    """The same model with and without its adapter, one after the other."""
    model, path = place / "run" / "model", place / "lora" / "model"
    yield f"orion generate --model {model} [--adapter-path {path}] -p {PROMPT!r}"
    with load(model, device, adapter_path=path) as opened:
        compiles = None
        for name, adapter in (("adapter", "default"), ("model", None), ("again", "default")):
            opened.use_adapter(adapter)
            begun = time.perf_counter()
            result = opened.generate(PROMPT, SHOWN_TOKENS)
            seconds = time.perf_counter() - begun
            report.texts[name] = result.text
            if name != "again":
                label = f"with the adapter of {HERO}'s {THING}" if adapter else "without it"
                yield f"  {label} ({len(result.new_ids) / seconds:.0f} tokens/s):"
                yield f"    {' '.join(result.text.split())}"
            if compiles is not None and result.compiles != compiles:
                raise OrionError("changing the adapter compiled a program")
            compiles = result.compiles
    if report.texts["again"] != report.texts["adapter"]:
        raise OrionError("an adapter gave another text when it was used again")
