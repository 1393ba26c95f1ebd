"""Calls into the library that a keyboard interrupt can end; knows no function of it.

Python looks at signals between its own instructions, so the main thread must not be the one that
sits in a long call.
"""

import threading
from collections.abc import Callable
from typing import Any

# Seconds between looks; a call that ends wakes the waiting thread at once.
LOOK = 0.1


def run_interruptibly(
    call: Callable[..., Any], arguments: tuple[Any, ...], cancel: Callable[[], None]
) -> None:
    """Calls with `arguments`; on an interrupt calls `cancel`, waits for the end and raises it."""
    if threading.current_thread() is not threading.main_thread():
        call(*arguments)
        return
    failure: list[BaseException] = []

    def work() -> None:
        try:
            call(*arguments)
        except BaseException as error:
            failure.append(error)

    worker = threading.Thread(target=work, name="orion-run")
    worker.start()
    try:
        while worker.is_alive():
            worker.join(LOOK)
    except KeyboardInterrupt:
        while worker.is_alive():
            cancel()
            worker.join(LOOK)
        raise
    if failure:
        raise failure[0]
