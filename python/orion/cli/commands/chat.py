"""Talk with a model."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from orion.cli import options
from orion.cli.plain_json import plain_json
from orion.cli.reading import read_input_line
from orion.errors import OrionError

if TYPE_CHECKING:
    from orion.generate import Chat, Piece

HELP = "/reset forgets the conversation, /exit or Ctrl-D leaves, Ctrl-C ends an answer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument("--system-prompt", metavar="TEXT", help="what the model is told first")
    parser.add_argument(
        *("--max-tokens", "-m"),
        type=int,
        default=256,
        metavar="N",
        help="new tokens of an answer (default: 256)",
    )
    options.add_sampling(parser)
    options.add_device(parser)
    options.add_weights(parser)
    options.add_adapter(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object for each answer")


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.opening import open_device, open_model
    from orion.cli.screen import say
    from orion.generate import Chat

    device = open_device(arguments)
    model = open_model(arguments, device, adapter_path=arguments.adapter_path)
    chat = Chat(
        model,
        system=arguments.system_prompt,
        max_tokens=arguments.max_tokens,
        **options.sampling_of(arguments),
    )
    if model.tokenizer.note:
        say(model.tokenizer.note)
    if chat.template is None:
        say("the model has no chat template: it continues what is said as one text")
    say(HELP)
    return talk(chat, arguments.json)


def talk(chat: "Chat", as_json: bool) -> int:
    """0, or 1 when the last turn of piped input failed."""
    from orion.cli.screen import say

    code = 0
    for message in messages():
        if message == "/reset":
            chat.reset()
            say("forgotten")
            continue
        try:
            with interrupting(chat):
                answer(chat, message, as_json)
            code = 0
        except OrionError as error:
            say(f"orion: {error}")
            code = error.exit_code
    return 0 if sys.stdin.isatty() else code


def messages() -> Iterator[str]:
    """What the user says, until /exit or the end of the input; empty lines say nothing."""
    number = 1
    while True:
        try:
            line = read_line(number)
        except KeyboardInterrupt:
            print(f"\n{HELP}", file=sys.stderr)
            continue
        number += 1
        if line is None or line.strip() == "/exit":
            return
        if line.strip():
            yield line.strip()


def read_line(number: int) -> str | None:
    """A line of the terminal, with editing, or of a pipe, there `number`; None at its end."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        return read_input_line(number)
    from rich.console import Console

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives `input` its editing
    try:
        return Console().input("[bold]>[/bold] ")
    except EOFError:
        print()
        return None


def answer(chat: "Chat", message: str, as_json: bool) -> None:
    pieces = []
    for piece in chat.ask(message):
        pieces.append(piece)
        if not as_json:
            print(piece.text, end="", flush=True)
    print(plain_json(turn(pieces)) if as_json else "", flush=True)


def turn(pieces: "list[Piece]") -> dict[str, Any]:
    """An answer, and how much had to be read for it."""
    first, rest = pieces[0], pieces[1:]
    return {
        "text": "".join(piece.text for piece in rest),
        "prompt_ids": first.ids,
        "new_ids": [token for piece in rest for token in piece.ids],
        "finish": pieces[-1].finish or "interrupted",
        "prefill_s": first.seconds,
        "decode_s": sum(piece.seconds for piece in rest),
    }


@contextlib.contextmanager
def interrupting(chat: "Chat") -> Iterator[None]:
    """The first Ctrl-C ends the answer, another one the program."""

    def first(_signal: int, _frame: FrameType | None) -> None:
        chat.interrupt()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
