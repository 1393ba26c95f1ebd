"""Answer OpenAI's clients, and a chat page, from one model and its adapters."""

import argparse
import os
from pathlib import Path

from orion.cli import options
from orion.errors import OrionError, UsageError
from orion.serve.settings import LIMITS

KEY_VARIABLE = "ORION_API_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "--model-name", metavar="NAME", help="as clients call it (default: its directory's name)"
    )
    parser.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a low-rank adapter in PEFT's form, served as a model; may be given several times",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument(
        "--port", type=options.whole(0, 65535), default=8080, help="default: 8080; 0: a free one"
    )
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        help=f"what clients must know (default: ${KEY_VARIABLE}, else nothing)",
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help='pages from there may ask, as https://chat.example or "*"; may be given several times',
    )
    for limit in LIMITS:
        parser.add_argument(
            "--" + limit.name.replace("_", "-"),
            type=type(limit.default),
            default=limit.default,
            metavar="N",
            help=f"{limit.says} (default: {limit.default:,.10g})",
        )
    options.add_device(parser)
    options.add_weights(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.opening import open_device, open_model
    from orion.cli.screen import say
    from orion.generate.model import room_for

    try:
        from orion.serve.app import Service
        from orion.serve.server import Server
        from orion.serve.settings import Address, Limits
    except ModuleNotFoundError as error:
        raise OrionError(f"a server takes {error.name}: pip install 'orion-ane[serve]'") from None

    limits = Limits(**{limit.name: getattr(arguments, limit.name) for limit in LIMITS})
    key = arguments.api_key or os.environ.get(KEY_VARIABLE) or None
    address = Address(arguments.host, arguments.port, key, tuple(arguments.allow_origin))
    name = arguments.model_name or Path(os.path.abspath(arguments.model)).name
    adapters = named_adapters(arguments.adapter, name)
    device = open_device(arguments)
    room = room_for(*adapters.values()) if adapters else None
    model = open_model(arguments, device, adapter_room=room)
    for each, path in adapters.items():
        model.open_adapter(each, path)
    service = Service(model, name, tuple(adapters), limits, address)
    try:
        server = Server(service)
        if not address.is_local and key is None:
            say("anybody who can reach this machine can use the server: --api-key keeps it closed")
        say(f"{', '.join(service.adapters)} at {server.url}/v1, a chat page at {server.url}/")
        server.serve_until_told()
    finally:
        service.close()
        model.close()
    say("stopped")
    return 0


def named_adapters(given: list[str], model: str) -> dict[str, Path]:
    """Directories by name."""
    adapters: dict[str, Path] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not (name and equals and path):
            raise UsageError(f"--adapter {each}: expected NAME=DIR, as --adapter rhymes=run/model.")
        if name in adapters or name == model:
            raise UsageError(f"--adapter {each}: {name} is the name of another model already.")
        adapters[name] = Path(path)
    return adapters
