"""Continue a prompt."""

import argparse

from orion.cli import options
from orion.cli.plain_json import plain_json
from orion.cli.reading import read_input


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument(
        "--prompt", "-p", default="", help="text to continue; - reads it from standard input"
    )
    prompt.add_argument(
        "--prompt-ids",
        type=token_ids,
        metavar="ID,ID,...",
        help="token ids to continue; a model without a tokenizer gives ids too",
    )
    parser.add_argument(
        "--max-tokens", "-m", type=int, default=100, metavar="N", help="new tokens (default: 100)"
    )
    options.add_adapter(parser)
    options.add_sampling(parser)
    parser.add_argument(
        "--num-draft-tokens",
        type=int,
        default=0,
        metavar="N",
        help="guess up to N tokens at once from what the text had before; the text stays the same",
    )
    options.add_device(parser)
    options.add_weights(parser)
    options.add_json(parser)
    options.add_trace(parser)


def token_ids(text: str) -> list[int]:
    try:
        return [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers with commas between, got {text!r}"
        ) from None


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.opening import open_device, open_model
    from orion.cli.screen import say, say_trace
    from orion.generate import BATCH_CHUNK, STREAM_CHUNK

    prompt = arguments.prompt_ids
    if prompt is None:
        prompt = read_input() if arguments.prompt == "-" else arguments.prompt
    device = open_device(arguments)
    try:
        model = open_model(arguments, device, adapter_path=arguments.adapter_path)
        if model.tokenizer.note:
            say(model.tokenizer.note)
        pieces = []
        chunk = BATCH_CHUNK if arguments.json else STREAM_CHUNK
        for piece in model.stream(
            prompt,
            arguments.max_tokens,
            chunk=chunk,
            num_draft_tokens=arguments.num_draft_tokens,
            **options.sampling_of(arguments),
        ):
            pieces.append(piece)
            if not arguments.json:
                print(piece.text, end="", flush=True)
        result = model.result(prompt, pieces)
    finally:
        say_trace(device)
    if arguments.json:
        print(plain_json(result.to_json()))
    else:
        print("" if model.tokenizer.has_text else ",".join(map(str, result.new_ids)))
    say(_summary(result.to_json()))
    return 0


def _summary(result: dict) -> str:
    new, seconds = len(result["new_ids"]), result["decode_s"]
    rate = f" ({new / seconds:,.0f} tokens/s)" if seconds else ""
    stopped = {
        "end": "; the model ended its text",
        "stop": "; a stop string came",
        "context": "; the context is full",
    }
    guessed = result["speculation"]
    guesses = (
        f"; {guessed['accepted']} of {guessed['drafted']} guesses right,"
        f" {guessed['accepted_per_step']:.2f} a step"
        if guessed
        else ""
    )
    virtual = f"; {result['virtual_s']:.4g} s on the simulator's clock"
    end = (virtual if result["virtual_s"] else "") + stopped.get(result["finish"], "")
    return (
        f"{len(result['prompt_ids'])} prompt tokens in {result['prefill_s']:.3g} s, {new} new in"
        f" {seconds:.3g} s{rate}{guesses}; {result['compiles']} compiles,"
        f" {result['cache_hits']} from the cache{end}"
    )
