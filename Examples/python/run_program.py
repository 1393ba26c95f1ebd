"""Compiles one small program, runs it on each device, and counts what that took.

    python run_program.py [DEVICE ...]                 cpu and sim by default

The weights are inputs, so other numbers take no other program.
"""

import sys

import numpy as np

import orion

# silu(w x), a layer in the layout of the Neural Engine: [1, channels, 1, columns].
TEXT = """\
program(1.3)
{
  func main<ios18>(tensor<fp16, [1, 1, 128, 64]> w, tensor<fp16, [1, 1, 64, 32]> x) {
    bool no = const()[name = string("no"), val = bool(false)];
    tensor<fp16, [1, 1, 128, 32]> h = matmul(transpose_x = no, transpose_y = no, x = w, y = x)
        [name = string("h")];
    tensor<fp16, [1, 1, 128, 32]> s = sigmoid(x = h)[name = string("s")];
    tensor<fp16, [1, 1, 128, 32]> y = mul(x = h, y = s)[name = string("y")];
  } -> (y);
}
"""


def main() -> None:
    random = np.random.default_rng(0)
    weights = [random.normal(0, 0.2, (1, 1, 128, 64)).astype(np.float16) for _ in range(3)]
    x = random.normal(0, 1, (1, 1, 64, 32)).astype(np.float16)
    for name in sys.argv[1:] or ["cpu", "sim"]:
        with orion.Device(name) as device:
            program = orion.Program(device, TEXT)
            for number, w in enumerate(weights):
                y = program.run({"w": w, "x": x})["y"]
                h = w.astype(np.float64) @ x.astype(np.float64)
                error = np.abs(y - h / (1 + np.exp(-h))).max()
                print(f"{device.name}: weights {number}: off by {error:.1e} at most")
            counters = device.counters()
            print(
                f"{device.name}: {counters['compiles']} compiled, {counters['evals']} runs,"
                f" {counters['virtual_s'] * 1e6:.0f} us predicted on the device"
            )


if __name__ == "__main__":
    main()
