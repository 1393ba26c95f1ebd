"""Asks what a MIL program does that a chip's Neural Engine refuses, mends it, and runs the result.

python check_mil.py [PROFILE ...]              m4-macos15 and m1-macos15 by default
"""

import sys

import numpy as np

import orion
from orion.runtime.checking import fix

# 1 / sqrt(x) + 1, as one would write it: the engine knows no rsqrt, and wants constants named.
TEXT = """\
program(1.3)
{
  func main<ios18>(tensor<fp16, [1, 64, 1, 64]> x) {
    tensor<fp16, [1, 64, 1, 64]> root = rsqrt(x = x)[name = string("root")];
    tensor<fp16, [1, 64, 1, 64]> y = add(x = root, y = fp16(1))[name = string("y")];
  } -> (y);
}
"""


def main() -> None:
    profiles = sys.argv[1:] or ["m4-macos15", "m1-macos15"]
    for finding in orion.check(TEXT, profiles=profiles):
        print(f"{finding.line}:{finding.column}: {finding.severity}: {finding.message}")
        print(f"    rule {finding.rule}, for {finding.profile}; seen: {finding.evidence}")
    mended, outcomes = fix(TEXT, profiles=profiles)
    for outcome in outcomes:
        print(f"line {outcome.line}: {outcome.title}: {outcome.obstacle or 'done'}")
    print(mended)
    x = np.linspace(0.5, 4, 64 * 64, dtype=np.float16).reshape(1, 64, 1, 64)
    exact = 1 / np.sqrt(x.astype(np.float64)) + 1
    for name in profiles:
        left = [each for each in orion.check(mended, profiles=[name]) if each.severity == "error"]
        if left:
            print(f"{name} still refuses it: {left[0].message}")
            continue
        with orion.Device(f"sim:{name}") as device:
            y = orion.Program(device, mended).run({"x": x})["y"]
        print(f"{name} takes it: off by {np.abs(y - exact).max():.1e} at most")


if __name__ == "__main__":
    main()
