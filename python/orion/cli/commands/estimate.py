"""Predict time, memory and energy of a model, a bundle or a MIL file, chip by chip."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orion.cli import options
from orion.cli.plain_json import plain_json
from orion.errors import UsageError

if TYPE_CHECKING:
    from orion.estimate.source import Configured

LABEL = "Predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        type=options.path,
        metavar="MODEL|BUNDLE|FILE.mil",
        help="a config.json, its directory, a preset, an id on the hub, a bundle or a MIL file",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--profile", help="names with commas between (default: all)")
    chosen.add_argument("--chip", help='a chip by its name, as "M4 Max" (default: all)')
    parser.add_argument("--train", action="store_true", help="a training step")
    parser.add_argument(
        "--weight-update",
        choices=("inputs", "reload", "recompile", "all"),
        default="inputs",
        help="how a training step changes weights (default: inputs)",
    )
    parser.add_argument("--max-seq-length", type=int, metavar="N", help="of a training step")
    parser.add_argument("--batch-size", type=int, default=1, metavar="N", help="of a microbatch")
    parser.add_argument("--grad-accumulation-steps", type=int, default=4, metavar="N")
    parser.add_argument("--context", type=int, metavar="N", help="positions a decode step sees")
    parser.add_argument("--prompt", type=int, metavar="N", help="tokens of a prompt")
    options.add_weights(parser)
    options.add_layers(parser)
    parser.add_argument("--plot", type=options.path, metavar="FILE", help="a roofline, as PNG")
    parser.add_argument(
        "--paper", action="store_true", help="the paper's tables, with predictions beside"
    )
    parser.add_argument(
        "--coefficients", action="store_true", help="the cost model's rows, with their sources"
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.estimate.source import is_text
    from orion.runtime import profile, profile_names

    known = {name: profile(name) for name in profile_names()}
    chosen = chosen_profiles(arguments, known)
    check_counts(arguments)
    if arguments.what is not None and (arguments.paper or arguments.coefficients):
        raise UsageError("--paper and --coefficients are of no model; leave it out.")
    if arguments.paper:
        return print_paper(known, as_json=arguments.json)
    if arguments.coefficients:
        return print_coefficients(chosen, as_json=arguments.json)
    if arguments.what is None:
        raise UsageError("Name a model, a bundle or a MIL file; or give --paper.")
    if is_text(arguments.what):
        return estimate_files(arguments, chosen)
    from orion.estimate.source import open_config

    model = open_config(arguments.what)
    return (train if arguments.train else infer)(arguments, model, chosen)


def chosen_profiles(
    arguments: argparse.Namespace, known: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """By name, in the order of the library."""
    if arguments.chip is not None:
        chips = {row["chip"].lower() for row in known.values()}
        if arguments.chip.lower() not in chips:
            names = ", ".join(dict.fromkeys(row["chip"] for row in known.values()))
            raise UsageError(f"No profile is of a chip {arguments.chip!r}; there are {names}.")
        return {n: row for n, row in known.items() if row["chip"].lower() == arguments.chip.lower()}
    if arguments.profile in (None, "all"):
        return dict(known)
    asked = options.profiles_of(arguments.profile, list(known))
    return {name: known[name] for name in known if name in asked}


def check_counts(arguments: argparse.Namespace) -> None:
    names = ("max_seq_length", "batch_size", "grad_accumulation_steps", "context", "prompt")
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} is 1 or more, not {value}.")


def infer(
    arguments: argparse.Namespace, model: "Configured", chosen: Mapping[str, dict[str, Any]]
) -> int:
    from orion.cli.screen import print_table, working
    from orion.estimate.claims import beside, claims
    from orion.estimate.model import ModelEstimator
    from orion.estimate.tables import claim_table, model_table, program_table

    estimator = ModelEstimator(model, arguments.weights, arguments.layers_per_program)
    single = len(chosen) == 1
    with working(f"Estimating {model.name}"):
        found = [
            estimator.estimate(
                row, context=arguments.context, prompt=arguments.prompt, every=single
            )
            for row in chosen.values()
        ]
    published = [
        beside(claim, estimate, estimate.profile)
        for estimate in found
        for claim in claims(model, estimate.profile)
    ]
    if arguments.plot:
        plot(arguments, found, model.name, chosen)
    if arguments.json:
        print(plain_json(result(model, [row.to_json() for row in found], published)))
        return 0
    print(
        f"{LABEL}: {model.name}, {model.parameters:,} parameters; a token with at most"
        f" {found[0].decode.cache} before it, a prompt of {found[0].prefill.columns}"
    )
    print_table(*model_table(found))
    if single:
        print()
        print_table(*program_table(found[0].programs))
    if published:
        print()
        print_table(*claim_table(published))
    return 0


def train(
    arguments: argparse.Namespace, model: "Configured", chosen: Mapping[str, dict[str, Any]]
) -> int:
    from orion.cli.screen import print_table, working
    from orion.estimate.claims import beside, claims
    from orion.estimate.tables import claim_table, program_table, training_table
    from orion.estimate.training import WAYS, TrainingEstimator

    estimator = TrainingEstimator(
        model,
        sequence=arguments.max_seq_length,
        batch=arguments.batch_size,
        accumulation=arguments.grad_accumulation_steps,
    )
    ways = WAYS if arguments.weight_update == "all" else (arguments.weight_update,)
    with working(f"Estimating a step of {model.name}"):
        found = [estimator.estimate(row, way) for row in chosen.values() for way in ways]
    published = [
        beside(claim, estimate, estimate.profile)
        for estimate in found
        for claim in claims(model, estimate.profile, estimate.way)
        if estimator.is_usual
    ]
    if arguments.plot:
        plot(arguments, found, f"a training step of {model.name}", chosen)
    if arguments.json:
        print(plain_json(result(model, [row.to_json() for row in found], published)))
        return 0
    step = found[0]
    print(
        f"{LABEL}: a step of {step.accumulation} x {step.batch} x {step.sequence} tokens of"
        f" {model.name}, {model.parameters:,} parameters"
    )
    print_table(*training_table(found))
    if len(found) == 1:
        print()
        print_table(*program_table(step.programs))
    if published:
        print()
        print_table(*claim_table(published))
    return 0


def result(model: "Configured", estimates: list[Any], published: list[Any]) -> dict[str, Any]:
    return {
        "kind": "prediction",
        "model": model.name,
        "parameters": model.parameters,
        "profiles": estimates,
        "published": published,
    }


def plot(
    arguments: argparse.Namespace,
    found: list[Any],
    title: str,
    chosen: Mapping[str, dict[str, Any]],
) -> None:
    from orion.cli.screen import say
    from orion.estimate.roofline import roofline

    if len(chosen) > 1:
        raise UsageError(
            f"A roofline is of one profile, and these are {', '.join(chosen)}; choose with"
            " --profile."
        )
    (profile,) = chosen.values()
    say(str(roofline(found[0].programs, profile, arguments.plot, title)))


def estimate_files(arguments: argparse.Namespace, chosen: Mapping[str, dict[str, Any]]) -> int:
    from orion.cli.screen import print_table, say
    from orion.diagnose.listing import messages
    from orion.diagnose.sources import read_sources
    from orion.estimate.tables import profile_table, program_table
    from orion.estimate.texts import estimate_texts
    from orion.runtime.checking import check

    sources = read_sources(arguments.what)
    if arguments.train:
        raise UsageError("--train takes a model; a MIL file is one program, whatever it is for.")
    faults = {source.path: check(source.text, profiles=[]) for source in sources}
    if any(finding.severity == "error" for found in faults.values() for finding in found):
        for source in sources:
            for line in messages(str(source.path), source.text, faults[source.path]):
                say(line)
        return 1
    found = estimate_texts(sources, list(chosen))
    if arguments.plot:
        plot(arguments, list(found), str(arguments.what.name), chosen)
    if arguments.json:
        facts = {"kind": "prediction", "path": str(arguments.what)}
        print(plain_json(facts | {"profiles": [row.to_json() for row in found]}))
        return 0
    print(f"{LABEL}: {arguments.what}")
    if len(found) == 1:
        print_table(*program_table(found[0].programs))
        return 0
    print_table(*profile_table({row.profile: row.programs for row in found}))
    return 0


def print_paper(known: Mapping[str, Any], *, as_json: bool) -> int:
    from orion.cli.screen import print_table, working
    from orion.estimate.paper import paper_tables
    from orion.estimate.tables import paper_table

    with working("Estimating the paper's tables"):
        found = paper_tables(known)
    if as_json:
        print(plain_json({"kind": "prediction", "rows": found}))
        return 0
    print(f"{LABEL} beside the paper's claims, on M4 Max unless a row says otherwise")
    for number, table in enumerate(dict.fromkeys(row["table"] for row in found)):
        if number:
            print()
        print_table(*paper_table(found, table))
    return 0


def print_coefficients(chosen: Mapping[str, dict[str, Any]], *, as_json: bool) -> int:
    from orion.cli.screen import print_table

    rows = {name: profile["cost_rows"] for name, profile in chosen.items()}
    if as_json:
        print(plain_json(rows))
        return 0
    head = ["profile", "coefficient", "value", "unit", "evidence", "source"]
    keys = ("coefficient", "value", "unit", "evidence", "source")
    cells = [
        [name, *("" if row[key] is None else row[key] for key in keys)]
        for name, found in rows.items()
        for row in found
    ]
    print_table(head, cells)
    return 0
