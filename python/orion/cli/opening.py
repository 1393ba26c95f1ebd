"""A model on a device as the command line asks for them; knows no command."""

import argparse
from typing import Any

from orion.cli.screen import say_device, working
from orion.generate import Model, load
from orion.runtime import Device


def open_device(arguments: argparse.Namespace) -> Device:
    """Says which it is."""
    trace = getattr(arguments, "trace", False)
    device = Device(arguments.device, cache_dir=arguments.cache_dir, trace=trace)
    say_device(device, arguments.device)
    return device


def open_model(arguments: argparse.Namespace, device: Device, **room: Any) -> Model:
    """`room` as `load` takes it: the adapter, or what adapters need."""
    with working(f"Opening {arguments.model}"):
        return load(
            arguments.model,
            device,
            cache_dir=arguments.cache_dir,
            weights=arguments.weights,
            **room,
        )
