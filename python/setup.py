"""Builds the Swift library and ships it inside the package; all else is in pyproject.toml."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from setuptools import Command, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.sdist import sdist
from setuptools.dist import Distribution

HERE = Path(__file__).resolve().parent
MACOS = sys.platform == "darwin"
PRODUCT = "OrionANEShared"
LIBRARY = f"lib{PRODUCT}{'.dylib' if MACOS else '.so'}"
SHIPPED = Path("orion", "_lib", LIBRARY)
# SwiftPM refuses a manifest whose targets have no directory, so the tests travel with the sources.
SWIFT_FILES = ("Package.swift", "LICENSE", "README.md")
SWIFT_DIRECTORIES = ("Sources", "Tests")


def swift_root() -> Path:
    """The directory of Package.swift: named by hand, in an unpacked sdist, or around a checkout."""
    named = os.environ.get("ORION_SWIFT_ROOT")
    places = [Path(named)] if named else [HERE / "_swift", HERE.parent]
    for place in places:
        if (place / "Package.swift").is_file():
            return place.resolve()
    looked = " or ".join(map(str, places))
    raise SystemExit(
        f"orion-ane: no Package.swift in {looked}. Install from a checkout or an sdist, or set"
        " ORION_SWIFT_ROOT to the directory that holds it."
    )


def swift_executable() -> str:
    named = os.environ.get("ORION_SWIFT")
    found = shutil.which(named or "swift")
    if found:
        return found
    missing = f"ORION_SWIFT names {named}, which is" if named else "'swift' is"
    raise SystemExit(
        f"orion-ane: {missing} not found, and the library is written in Swift. Install Swift 6.3 or"
        " later from https://swift.org/install and put it on PATH, or set ORION_SWIFT to the"
        f" executable, or set ORION_PREBUILT_LIB to a {LIBRARY} that is already built."
    )


class BuildSwift(Command):
    """Compiles the library, or takes the one ORION_PREBUILT_LIB names, into the package."""

    description = "build the Swift library"
    user_options: ClassVar[list] = []
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self) -> None:
        library = self._prebuilt() or self._compile()
        destination = (HERE if self.editable_mode else Path(self.build_lib)) / SHIPPED
        destination.parent.mkdir(parents=True, exist_ok=True)
        # A running Python may have the old file mapped: writing into it would crash that process.
        fresh = destination.with_name(f"{LIBRARY}.{os.getpid()}")
        shutil.copyfile(library, fresh)
        fresh.chmod(0o755)
        os.replace(fresh, destination)

    def _prebuilt(self) -> "Path | None":
        named = os.environ.get("ORION_PREBUILT_LIB")
        if not named:
            return None
        if not Path(named).is_file():
            raise SystemExit(f"orion-ane: ORION_PREBUILT_LIB names {named}, which is no file.")
        return Path(named)

    def _compile(self) -> Path:
        root = swift_root()
        # In one place whatever pip's temporary directories are, so that a second install is quick.
        scratch = HERE / "build" / "swift"
        scratch.mkdir(parents=True, exist_ok=True)
        command = [
            *(swift_executable(), "build", "--configuration", "release", "--product", PRODUCT),
            *("--package-path", str(root), "--scratch-path", str(scratch)),
            # Where products land differs between build systems; this one is on every toolchain.
            *("--build-system", "native"),
            *(self._macos_flags(scratch) if MACOS else self._linux_flags(root)),
        ]
        print("orion-ane:", " ".join(command), file=sys.stderr, flush=True)
        if subprocess.run(command, check=False).returncode:
            raise SystemExit("orion-ane: swift build failed; its own messages are above.")
        shown = subprocess.run(
            [*command, "--show-bin-path"], check=True, stdout=subprocess.PIPE, text=True
        )
        return Path(shown.stdout.strip()) / LIBRARY

    def _linux_flags(self, root: Path) -> list[str]:
        exports = root / "Sources" / "COrionANE" / "exports.map"
        return [
            # gold, the default, keeps local symbols in the table of exports; lld does not.
            *("-Xswiftc", "-static-stdlib", "-Xswiftc", "-use-ld=lld"),
            *("-Xlinker", f"--version-script={exports}"),
            # Without it a missing symbol shows only when Python loads the library.
            *("-Xlinker", "--no-undefined"),
            *("-Xlinker", "--strip-all"),
            # The toolchain's directory is of no use on another machine.
            *("-Xswiftc", "-no-toolchain-stdlib-rpath"),
        ]

    def _macos_flags(self, scratch: Path) -> list[str]:
        """The runtime is part of macOS; ld64 takes a list where GNU ld takes a map."""
        exports = scratch / "exports.list"
        exports.write_text("_orion_*\n")
        return [
            *("--arch", "arm64"),
            *("-Xlinker", "-exported_symbols_list", "-Xlinker", str(exports)),
            *("-Xlinker", "-x"),
        ]

    def get_source_files(self) -> list[str]:
        return []

    def get_outputs(self) -> list[str]:
        return [str(Path(self.build_lib) / SHIPPED)]

    def get_output_mapping(self) -> dict[str, str]:
        return {str(Path(self.build_lib) / SHIPPED): str(SHIPPED)}


class Build(build):
    sub_commands: ClassVar[list] = [*build.sub_commands, ("build_swift", None)]

    def run(self) -> None:
        # What an earlier build left there would go into the wheel.
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class SourceDistribution(sdist):
    """Adds the Swift package, which lies outside the directory that setuptools looks at."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        root, out = swift_root(), Path(base_dir, "_swift")
        out.mkdir(exist_ok=True)
        for name in SWIFT_FILES:
            shutil.copyfile(root / name, out / name)
        for name in SWIFT_DIRECTORIES:
            shutil.copytree(
                root / name, out / name, ignore=shutil.ignore_patterns("__pycache__", ".build")
            )
        # In a checkout this is a link to the file above it.
        licence = Path(base_dir, "LICENSE")
        licence.unlink(missing_ok=True)
        shutil.copyfile(root / "LICENSE", licence)


class Wheel(bdist_wheel):
    """One wheel per platform for every Python: ctypes needs no interpreter's ABI."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        platform = super().get_tag()[2]
        if MACOS:  # a universal Python, an arm64 library
            platform = re.sub(r"_universal2$", "_arm64", platform)
        return "py3", "none", platform


class PlatformDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(
    cmdclass={
        "build": Build,
        "build_swift": BuildSwift,
        "sdist": SourceDistribution,
        "bdist_wheel": Wheel,
    },
    distclass=PlatformDistribution,
    long_description=(swift_root() / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
)
