"""Train a model, from fresh weights or from a checkpoint."""

import argparse
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from orion.cli import options
from orion.cli.plain_json import plain_json

if TYPE_CHECKING:
    from orion.train import Ranks

# Flags of the settings: name, type, what it says in --help.
FLAGS: tuple[tuple[str, type, str], ...] = (
    ("iters", int, "optimizer steps (default: 1000)"),
    ("batch-size", int, "sequences a microbatch (default: 4)"),
    ("grad-accumulation-steps", int, "microbatches a step (default: 1)"),
    ("max-seq-length", int, "tokens a sequence (default: 256, or the model's context)"),
    ("learning-rate", float, "its peak (default: 1e-4)"),
    ("lr-schedule", str, "constant, linear or cosine (default: constant)"),
    ("lr-end", float, "where linear and cosine end (default: 0)"),
    ("warmup", int, "steps up to the peak (default: 0)"),
    ("beta1", float, "of AdamW (default: 0.9)"),
    ("beta2", float, "of AdamW (default: 0.999)"),
    ("epsilon", float, "of AdamW (default: 1e-8)"),
    ("weight-decay", float, "of AdamW, on every parameter (default: 0.01)"),
    ("grad-clip", float, "largest norm of all gradients; 0: any (default: 1)"),
    ("loss-scale", float, "the first one, where gradients are fp16 (default: chosen)"),
    ("seed", int, "of fresh weights and the order of the data (default: 0)"),
    ("steps-per-report", int, "steps between lines of progress (default: 10)"),
    ("steps-per-eval", int, "steps between validations (default: 200)"),
    ("val-batches", int, "batches of a validation; -1: all (default: 25)"),
    ("save-every", int, "steps between checkpoints (default: 100)"),
    ("keep", int, "checkpoints to keep beside the best (default: 2)"),
    ("weight-update", str, "auto, inputs, reload or recompile (default: auto)"),
    ("verify", int, "check the gradients of the first N steps against fp32 (default: 0)"),
    ("check-ranks-every", int, "steps between comparisons of ranks' parameters (default: 100)"),
    ("rank-timeout", int, "seconds to wait for another rank (default: 300)"),
)
# Of `orion lora` alone.
ADAPTER_FLAGS: tuple[tuple[str, type, str], ...] = (
    ("rank", int, "of the adapters' matrices (default: 8)"),
    ("alpha", float, "their product is multiplied by alpha / rank (default: 16)"),
    ("dropout", float, "share of the adapters' inputs that a step leaves out (default: 0)"),
    ("target-modules", str, "NAME,...: the layers they change (default: q_proj,v_proj)"),
    ("num-layers", int, "from the last one; -1: all (default: -1)"),
)
OUTER = ("model", "preset", "data", "adapter_path", "device", "resume")
# What a run remembers beside its settings.
KEPT = ("model", "preset", "data", "device")
# Those of them that may be paths.
PLACES = ("model", "preset", "data")
OUTPUT = "run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser, required=False)
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="begin with fresh weights: a preset's name, or a config.json",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="train, valid and test, each .jsonl, .txt or .bin"
    )
    parser.add_argument(
        *("--adapter-path", "--output", "-o"),
        type=options.path,
        metavar="DIR",
        help=f"where the run is kept: metrics, checkpoints, the model (default: {OUTPUT})",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint of the run"
    )
    parser.add_argument(
        "-c", "--config", type=options.path, metavar="FILE", help="settings in YAML"
    )
    add_flags(parser, FLAGS)
    parser.add_argument(
        "--mask-prompt", action="store_true", default=None, help="learn completions, not prompts"
    )
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="train with the other processes of MPI's world, where its launcher is not known",
    )
    options.add_device(parser)
    # What the command line does not say may stand in the configuration.
    parser.set_defaults(device=None)
    options.add_json(parser)


def add_flags(parser: argparse.ArgumentParser, flags: tuple[tuple[str, type, str], ...]) -> None:
    for name, kind, text in flags:
        parser.add_argument(f"--{name}", type=kind, metavar=kind.__name__.upper(), help=text)


def names_of(flags: tuple[tuple[str, type, str], ...]) -> list[str]:
    return [name.replace("-", "_") for name, _, _ in flags]


def run(arguments: argparse.Namespace) -> int:
    return train(arguments, with_adapters=False)


def train(arguments: argparse.Namespace, *, with_adapters: bool) -> int:
    """The run, of the whole model or of adapters beside it, and the exit code."""
    from orion.cli.main import explain
    from orion.train import DivergedError, PartedError, find_ranks

    with find_ranks(arguments.distributed) as ranks:
        try:
            return train_with(ranks, arguments, with_adapters=with_adapters)
        except KeyboardInterrupt as error:
            ranks.leave(error, "interrupted", 128 + signal.SIGINT, common=False)
            raise
        except Exception as error:
            common = isinstance(error, (DivergedError, PartedError))
            ranks.leave(error, *explain(error), common=common)
            raise


def train_with(ranks: "Ranks", arguments: argparse.Namespace, *, with_adapters: bool) -> int:
    from orion.cli.screen import say_device, working
    from orion.runtime import Device
    from orion.train import Lora, Trainer, finish, write_settings
    from orion.train.progress import Progress

    say = teller(ranks)
    flags = FLAGS + (ADAPTER_FLAGS if with_adapters else ())
    chosen, settings = ranks.together(lambda: gathered(arguments, flags))
    adapters = {name: chosen[name] for name in names_of(ADAPTER_FLAGS) if name in chosen}
    output = Path(chosen.get("adapter_path") or OUTPUT)
    asked = str(chosen.get("device") or "auto")
    device = ranks.together(
        lambda: Device(asked, cache_dir=arguments.cache_dir, threads=ranks.threads)
    )
    if ranks.rank == 0:
        say_device(device, asked)
    with working("Preparing"):
        trainer = Trainer(
            chosen.get("model"),
            chosen.get("data"),
            preset=chosen.get("preset"),
            output=output,
            resume=bool(chosen.get("resume")),
            device=device,
            settings=settings,
            lora=Lora(**adapters) if with_adapters else None,
            ranks=ranks,
        )
    with trainer:
        write_settings(trainer, kept_of(chosen))
        progress = Progress(trainer, say)
        with Interrupt(trainer.stop), progress.shown():
            for line in trainer.steps():
                progress.note(line)
        if trainer.step_done < trainer.settings.iters:
            saved = trainer.save()
            state = "which is saved" if saved else "whose loss is too high to be worth saving"
            say(
                f"Stopped after step {trainer.step_done}, {state}. Go on with: orion"
                f" {'lora' if with_adapters else 'train'} --resume --output {output}"
            )
            return 128 + signal.SIGINT
        if trainer.learner.gradient_errors:
            print_verified(trainer.learner.gradient_errors, say)
        report = finish(trainer)
    if ranks.rank == 0:
        print(plain_json(report) if arguments.json else report["model"])
    return 0


def kept_of(chosen: dict[str, Any]) -> dict[str, str]:
    """What resuming needs, from whatever directory it is asked for: paths are whole there."""
    kept = {name: str(chosen[name]) for name in KEPT if chosen.get(name)}
    whole = {name: os.path.abspath(kept[name]) for name in PLACES if name in kept}
    return kept | {name: path for name, path in whole.items() if os.path.exists(path)}


def teller(ranks: "Ranks") -> Callable[[str], None]:
    """The first rank speaks for all."""
    from orion.cli.screen import say

    return say if ranks.rank == 0 else lambda _message: None


def print_verified(steps: list[dict[str, float]], say: Callable[[str], None]) -> None:
    """The largest error of each parameter, the worst ones first."""
    worst = {key: max(errors[key] for errors in steps) for key in steps[0]}
    say(f"gradients of {len(steps)} steps against fp32, relative L2 error at most:")
    for key in sorted(worst, key=worst.__getitem__, reverse=True):
        say(f"  {worst[key]:.2e}  {key}")


class Interrupt:
    """The first Ctrl-C lets the step end; the second one ends it. So does SIGUSR1, which launchers
    pass on to every rank.
    """

    SIGNALS = (signal.SIGINT, signal.SIGUSR1)

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._came = False

    def __enter__(self) -> "Interrupt":
        self._before = [signal.signal(number, self._note) for number in self.SIGNALS]
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, before in zip(self.SIGNALS, self._before, strict=True):
            signal.signal(number, before)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._came and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._came = True
        self._stop()


def gathered(
    arguments: argparse.Namespace, flags: tuple[tuple[str, type, str], ...]
) -> tuple[dict[str, Any], Any]:
    """Paths and settings: the command line's, else the file's, else those of a run that resumes."""
    from orion.train import Settings, read_config, settings_of
    from orion.train.checkpoint import find

    given = vars(arguments)
    names = [*names_of(flags), "mask_prompt"]
    asked = {name: given[name] for name in names if given[name] is not None}
    asked |= {name: given[name] for name in OUTER if given[name]}
    written = read_config(arguments.config) if arguments.config else {}
    written["adapter_path"] = written.pop("output", written.get("adapter_path"))
    output = Path(asked.get("adapter_path") or written.get("adapter_path") or OUTPUT)
    resumes = asked.get("resume") or written.get("resume")
    if resumes:
        find(output)
    earlier = settings_of(output) if resumes else {}
    chosen = {**earlier, **written, **asked}
    known = [*names_of(FLAGS), "mask_prompt"]
    return chosen, Settings(**{name: chosen[name] for name in known if name in chosen})
