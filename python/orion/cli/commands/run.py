"""Run a MIL program: inputs from files or a seed, each result on the way, two devices compared."""

import argparse
import io
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion.cli import options
from orion.cli.plain_json import plain_json

if TYPE_CHECKING:
    import numpy as np

    from orion.diagnose.sources import Source
    from orion.runtime import Device, Program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=options.path, help="a MIL file")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a .npy file for an input, or a .npz file that holds several; others are random",
    )
    parser.add_argument(
        "--seed", type=options.whole(0), default=0, help="of random inputs (default: 0)"
    )
    parser.add_argument(
        *("--output", "-o"),
        type=options.path,
        metavar="FILE",
        help="write the outputs there, as .npz, or the only one as .npy",
    )
    parser.add_argument("--function", default="main", help="the one that runs (default: main)")
    parser.add_argument("--weights", type=options.path, help="default: weights.bin beside the file")
    parser.add_argument(
        "--arith",
        choices=("own", "fp32"),
        default="own",
        help="fp32: no rounding below it, whatever the types, on cpu and sim (default: own)",
    )
    parser.add_argument(
        "--dump", type=options.path, metavar="DIR", help="write every result on the way"
    )
    parser.add_argument(
        "--compare", metavar="DEVICE", help="name the first result that another device disagrees on"
    )
    parser.add_argument(
        "--tolerance",
        type=options.distance,
        default=1e-2,
        help="with --compare: relative to magnitudes above 1 (default: 0.01)",
    )
    options.add_device(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import print_table, say, say_device
    from orion.diagnose.sources import read_source
    from orion.runtime import Device

    if arguments.output:
        check_output(arguments.output)
    source = read_source(arguments.path)
    with ExitStack() as stack:
        device = stack.enter_context(
            Device(computing(arguments.device, arguments.arith), cache_dir=arguments.cache_dir)
        )
        say_device(device, arguments.device)
        if arguments.arith != "own":
            say(f"arithmetic: {arguments.arith}")
        facts, outputs, passed = Run(arguments, source, device, stack).facts()
    if arguments.output:
        save(arguments.output, outputs)
    if arguments.json:
        print(plain_json(facts))
    else:
        headings = ["output", "dtype", "shape", "min", "mean", "max", "nan"]
        print_table(headings, [[row[name] for name in headings] for row in facts["outputs"]])
    return 0 if passed else 1


def computing(device: str, arithmetic: str) -> str:
    """The name under which a device opens with an arithmetic."""
    from orion.errors import UsageError

    if arithmetic == "own":
        return device
    if not device.startswith(("cpu", "sim")):
        raise UsageError(f"--arith {arithmetic} is for cpu and sim, not for {device}.")
    return f"{device}+{arithmetic}"


class Run:
    """One run as the command was asked for it."""

    def __init__(
        self, arguments: argparse.Namespace, source: "Source", device: "Device", stack: ExitStack
    ) -> None:
        self.arguments, self.device, self.stack = arguments, device, stack
        self.text = source.string()
        weights = arguments.weights or source.directory / "weights.bin"
        self.weights: Path | None = weights if arguments.weights or weights.is_file() else None

    def facts(self) -> tuple[dict[str, Any], dict[str, "np.ndarray"], bool]:
        """What is told, the outputs, and whether the devices agree."""
        from orion.runtime import Program

        program = Program(self.device, self.text, self.weights, self.arguments.function)
        inputs = self.inputs(program)
        outputs = program.run(inputs)
        program.close()
        facts: dict[str, Any] = {
            "device": self.device.name,
            "profile": self.device.profile,
            "arithmetic": self.arguments.arith,
            "outputs": [describe(name, array) for name, array in outputs.items()],
        }
        passed = True
        if self.arguments.dump or self.arguments.compare:
            passed = self.look_inside(facts, inputs)
        return facts, outputs, passed

    def inputs(self, program: "Program") -> dict[str, "np.ndarray"]:
        from orion.cli.screen import say
        from orion.diagnose.arrays import fitted, random_input, read_inputs
        from orion.errors import UsageError

        given = read_inputs(self.arguments.input)
        unknown = [name for name in given if name not in [port.name for port in program.inputs]]
        if unknown:
            names = ", ".join(port.name for port in program.inputs)
            raise UsageError(f"The program has no input {unknown[0]}; it takes {names}.")
        drawn = [port.name for port in program.inputs if port.name not in given]
        if drawn:
            say(f"random inputs of seed {self.arguments.seed}: {', '.join(drawn)}")
        return {
            port.name: fitted(port, given[port.name])
            if port.name in given
            else random_input(port, self.arguments.seed)
            for port in program.inputs
        }

    def look_inside(self, facts: dict[str, Any], inputs: dict[str, "np.ndarray"]) -> bool:
        """Dumps and compares the results on the way."""
        from orion.cli.screen import say
        from orion.diagnose.trace import Job, Value, first_difference, trace, write_values
        from orion.runtime import Device

        def follow(device: "Device", arithmetic: str) -> list[Value]:
            def host(name: str) -> "Device":
                return Device(computing(name, arithmetic), cache_dir=self.arguments.cache_dir)

            function = self.arguments.function
            return trace(device, Job(self.text, function, self.weights, inputs, say, host))

        values = follow(self.device, self.arguments.arith)
        if self.arguments.dump:
            rows = write_values(values, self.arguments.dump)
            facts["dump"] = str(self.arguments.dump)
            say(f"{len(rows)} results in {self.arguments.dump}")
        if not self.arguments.compare:
            return True
        other = self.stack.enter_context(
            Device(self.arguments.compare, cache_dir=self.arguments.cache_dir)
        )
        found = first_difference(values, follow(other, "own"), self.arguments.tolerance)
        facts["compared_with"] = other.name
        facts["first_difference"] = None
        if found is None:
            say(
                f"all {len(values)} results agree with {self.arguments.compare} within"
                f" {self.arguments.tolerance:g}"
            )
            return True
        facts["first_difference"] = {
            "name": found.result.name,
            "op": found.result.op,
            "line": found.result.line,
            "distance": found.distance,
        }
        say(
            f"{self.arguments.path}:{found.result.line}: `{found.result.name}` of"
            f" `{found.result.op}` is the first result that differs from {self.arguments.compare}:"
            f" by {found.distance:.4g}, more than {found.tolerance:g}"
        )
        return False


def describe(name: str, array: "np.ndarray") -> dict[str, Any]:
    import numpy as np

    finite = array[np.isfinite(array)].astype(np.float64)
    told = [float(pick(finite)) if finite.size else None for pick in (np.min, np.mean, np.max)]
    return {
        "output": name,
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "min": told[0],
        "mean": told[1],
        "max": told[2],
        "nan": int(np.isnan(array).sum()),
    }


def check_output(path: Path) -> None:
    """Before the program runs."""
    from orion.errors import UsageError
    from orion.files import check_writable

    if path.suffix not in (".npy", ".npz"):
        raise UsageError(f"{path}: outputs go to a .npz or .npy file.")
    check_writable(path)


def save(path: Path, outputs: dict[str, "np.ndarray"]) -> None:
    """A .npz of all outputs; a .npy of the only one."""
    import numpy as np

    from orion.errors import UsageError
    from orion.files import write_file

    content = io.BytesIO()
    if path.suffix == ".npy":
        if len(outputs) != 1:
            raise UsageError(
                f"{path}: a .npy file holds one array, and there are {len(outputs)}"
                f" outputs ({', '.join(outputs)}); name a .npz file."
            )
        np.save(content, next(iter(outputs.values())))
    else:
        np.savez(content, **outputs)  # type: ignore[arg-type]
    write_file(path, content.getvalue())
