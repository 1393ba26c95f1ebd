"""What scripts/check looks for, as rows: what must not be written, which room may import which."""

APPLE = "Sources/OrionANE/Apple/"

# What must not be written: pattern, where it is looked for, where it is allowed, why.
ABSENCES = (
    (r"\bimport +\w*Foundation", ("Sources/",), (), "the shipped library imports no Foundation"),
    (
        r"_AN[E][A-Z]\w*",
        ("",),
        (APPLE, "Sources/ANESimulator/", "Tests/"),
        "Apple's private names stay in the two rooms that play them",
    ),
    (
        r"\b(Mutable)?(Raw)?Span<|\bRawSpan\b|\bInlineArray\b",
        ("Sources/",),
        (),
        "macOS 15 has no runtime for it",
    ),
    (r"\bfatalError\(|\btry!", ("Sources/",), (), "a Swift trap ends the user's Python"),
    (r"(?<![\w.$}])/(work|root|farm|home/\w+)/", ("",), (), "a path of one machine"),
    (r"\b(TODO|FIXME|XXX)\b|\bNotImplemented(Error)?\b", ("",), (), "unfinished"),
    (r"\bassert True\b|#expect\(true\)", ("Tests/",), (), "a test that cannot fail"),
)

# Swift module: what it may import of ours.
SWIFT_ARROWS = {
    "CKernels": set(),
    "COrionANE": set(),
    "ANEProfiles": set(),
    "MILEngine": {"CKernels", "ANEProfiles"},
    "ANESimulator": {"MILEngine", "ANEProfiles"},
    "OrionANE": {"ANESimulator", "MILEngine", "CKernels", "ANEProfiles", "COrionANE"},
    APPLE: {"ANEProfiles", "CKernels", "COrionANE"},
}
SWIFT_LIBRARIES = {"Swift", "Glibc", "Darwin", "Musl", "Synchronization"}

# Python package or module under orion: what it may import of ours. Everything may import `errors`
# and `files`.
PYTHON_ARROWS = {
    "errors": set(),
    "files": set(),
    "ir": set(),
    "passes": {"ir"},
    "autodiff": {"ir"},
    "mil": {"ir"},
    "models": {"ir"},
    "weights": set(),
    "tokenizer": {"weights"},
    "compile": {"models", "autodiff", "passes", "mil", "weights", "tokenizer", "ir"},
    "runtime": set(),
    "generate": {"compile", "runtime", "tokenizer", "weights"},
    "export": {"compile", "runtime", "tokenizer", "weights"},
    "fuse": {"export", "compile", "weights"},
    "verify": {"train", "data", "generate", "compile", "runtime"},
    "diagnose": {"runtime"},
    "estimate": {"compile", "diagnose", "passes", "runtime", "weights"},
    "data": {"tokenizer"},
    "train": {"data", "compile", "runtime", "tokenizer", "weights", "ir"},
    "demo": {"train", "data", "generate", "runtime"},
    "cli": {
        "bench",
        "serve",
        "demo",
        "fuse",
        "verify",
        "diagnose",
        "estimate",
        "train",
        "data",
        "generate",
        "export",
        "compile",
        "runtime",
        "tokenizer",
        "weights",
    },
    "serve": {"train", "generate", "export", "compile", "runtime", "tokenizer", "weights"},
    "bench": {"train", "data", "generate", "export", "compile", "runtime", "tokenizer", "weights"},
    "__init__": {"generate", "runtime", "train"},
    "__main__": {"cli"},
}
