"""The kernels of a training step against numpy, which is their definition."""

import numpy as np
import pytest

from orion.runtime import Device, Tensor, kernels

HALF, FLOAT = np.float16, np.float32
LARGEST = float(np.finfo(HALF).max)
random = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(FLOAT)


def strided(rows: int, columns: int, dtype: type, gap: int = 5) -> np.ndarray:
    """A matrix whose rows do not touch, with a value between them that nobody may change."""
    return np.full((rows, columns + gap), 77, dtype)[:, :columns]


def gaps_are_whole(matrix: np.ndarray) -> bool:
    assert matrix.base is not None
    return bool((matrix.base[:, matrix.shape[1] :] == 77).all())


# ---- AdamW ----


def adamw_in_numpy(w, g, m, v, step):  # type: ignore[no-untyped-def]
    """torch.optim.AdamW, its factors computed in double and each operation in fp32."""
    lr, beta1, beta2, epsilon, decay, scale = 3e-3, 0.9, 0.95, 1e-8, 0.1, 0.25
    g = g * FLOAT(scale)
    w = w * FLOAT(1 - lr * decay)
    m = m + FLOAT(1 - beta1) * (g - m)
    v = v * FLOAT(beta2) + FLOAT(1 - beta2) * g * g
    below = np.sqrt(v) / FLOAT((1 - beta2**step) ** 0.5) + FLOAT(epsilon)
    return w - FLOAT(lr / (1 - beta1**step)) * m / below, m, v


@pytest.mark.parametrize("count", [1, 7, 8, 1000, 70001])
def test_adamw_is_numpys_to_the_bit(count: int) -> None:
    w, m, v = normal(count), np.zeros(count, FLOAT), np.zeros(count, FLOAT)
    expected = (w, m, v)
    for step in (1, 2, 3):
        g = normal(count)
        expected = adamw_in_numpy(expected[0], g, *expected[1:], step)
        lost = kernels.adamw(
            w, g, m, v, step=step, learning_rate=3e-3, beta2=0.95, weight_decay=0.1,
            gradient_scale=0.25,
        )  # fmt: skip
        assert lost == 0
    for name, got, wanted in zip("wmv", (w, m, v), expected, strict=True):
        np.testing.assert_array_equal(got, wanted, name)


def test_adamw_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    start, gradients = normal(300), [normal(300) for _ in range(5)]
    theirs = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = torch.optim.AdamW([theirs], lr=1e-3, weight_decay=0.1)
    w, m, v = start.copy(), np.zeros(300, FLOAT), np.zeros(300, FLOAT)
    for step, g in enumerate(gradients, 1):
        theirs.grad = torch.from_numpy(g.copy())
        optimizer.step()
        kernels.adamw(w, g, m, v, step=step, learning_rate=1e-3, weight_decay=0.1)
    np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=5e-7, atol=1e-9)


@pytest.mark.parametrize("columns", [1, 9, 64, 40000])
def test_adamw_writes_the_copy_and_counts_what_it_cannot_hold(columns: int) -> None:
    rows = 3
    w, g = normal(rows, columns), np.zeros((rows, columns), FLOAT)
    w[0, 0], w[2, columns - 1] = 70000, -np.inf
    m, v, copy = np.zeros_like(w), np.zeros_like(w), strided(rows, columns, HALF)
    lost = kernels.adamw(
        w, g, m, v, step=1, learning_rate=0.1, epsilon=0.5, weight_decay=0, copy=copy
    )
    expected = np.clip(w, -LARGEST, LARGEST).astype(HALF)
    expected[2, columns - 1] = -np.inf
    assert lost == 2
    np.testing.assert_array_equal(copy, expected)
    assert gaps_are_whole(copy)


def test_adamw_without_epsilon_counts_only_values_that_are_there() -> None:
    zeros = [np.zeros(3, FLOAT) for _ in range(4)]
    lost = kernels.adamw(*zeros, step=1, learning_rate=1, epsilon=0, copy=np.zeros(3, HALF))
    assert lost == 3
    assert np.isnan(zeros[0]).all()


# ---- gradients ----


@pytest.mark.parametrize("count", [0, 1, 9, 32768, 200_001])
def test_sum_of_squares(count: int) -> None:
    values = normal(count) * FLOAT(1e15)
    expected = float((values.astype(np.float64) ** 2).sum())
    assert kernels.sum_of_squares(values) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_sum_of_squares_is_finite_when_all_values_are(value: float) -> None:
    values = normal(50_000)
    values[12_345] = value
    assert np.isfinite(kernels.sum_of_squares(values)) == np.isfinite(value)


@pytest.mark.parametrize("dtype", [HALF, FLOAT])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("rows", "columns"), [(1, 5), (7, 33), (300, 257), (40, 1)])
def test_accumulate(dtype: type, fresh: bool, rows: int, columns: int) -> None:
    source, target = strided(rows, columns, dtype), normal(rows, columns)
    source[...] = normal(rows, columns)
    term = FLOAT(0.3) * source.astype(FLOAT)
    expected = term if fresh else target + term
    if fresh:
        target[0, 0] = np.nan
    assert kernels.accumulate(target, source, 0.3, fresh=fresh) is True
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("dtype", [HALF, FLOAT])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 12, 99_998])
def test_accumulate_says_what_is_not_finite(dtype: type, value: float, place: int) -> None:
    source = np.ones(99_999, dtype)
    source[place] = value
    assert kernels.accumulate(np.zeros(99_999, FLOAT), source) is False


def test_accumulate_says_when_a_sum_leaves_fp32() -> None:
    assert kernels.accumulate(np.full(9, 3e38, FLOAT), np.full(9, 3e38, FLOAT)) is False


def test_accumulate_reads_a_tensor_of_a_device() -> None:
    with Device("sim:m4-macos15") as device:
        tensor = Tensor(device, (1, 6, 1, 40))
        target, values = np.zeros((6, 40), FLOAT), normal(6, 40).astype(HALF)
        with tensor as view:
            view[0, :, 0] = values
            assert kernels.accumulate(target, view, 2.0)
        np.testing.assert_array_equal(target, values.astype(FLOAT) * 2)


@pytest.mark.parametrize("source_type", [HALF, FLOAT])
@pytest.mark.parametrize("target_type", [HALF, FLOAT])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 31), (400, 100)])
def test_convert(source_type: type, target_type: type, rows: int, columns: int) -> None:
    source, target = strided(rows, columns, source_type), strided(rows, columns, target_type)
    source[...] = normal(rows, columns) * 100
    assert kernels.convert(source, target) == 0
    np.testing.assert_array_equal(target, source.astype(target_type))
    assert gaps_are_whole(target)


def test_convert_holds_finite_values_and_counts_the_rest() -> None:
    cases = {65519.99: LARGEST, 65520: LARGEST, -7e4: -LARGEST, 3e38: LARGEST, 1e-8: 0}
    cases |= {np.inf: np.inf, -np.inf: -np.inf, np.nan: np.nan, 2.0**-24: 2.0**-24, -0.0: -0.0}
    source = np.array(list(cases), FLOAT)
    target = np.empty(len(cases), HALF)
    assert kernels.convert(source, target) == 6
    np.testing.assert_array_equal(target, np.array(list(cases.values()), HALF))
    assert kernels.convert(target, np.empty_like(target)) == 3


# ---- cross-entropy ----


def cross_entropy_in_numpy(x, targets, scale):  # type: ignore[no-untyped-def]
    x = x.astype(np.float64)
    below = x - x.max(axis=0)
    probability = np.exp(below) / np.exp(below).sum(axis=0)
    counts = targets >= 0
    columns = np.arange(len(targets))[counts]
    loss = -np.log(probability[targets[counts], columns]).sum()
    probability[targets[counts], columns] -= 1
    return loss, scale * probability * counts


@pytest.mark.parametrize("dtype", [HALF, FLOAT])
@pytest.mark.parametrize(
    ("parts", "columns"), [((5,), 1), ((33,), 7), ((512,), 128), ((700, 1300), 150), ((2050, 1), 9)]
)
def test_cross_entropy(dtype: type, parts: tuple[int, ...], columns: int) -> None:
    vocabulary = sum(parts)
    logits = (normal(vocabulary, columns) * 6).astype(dtype)
    targets = random.integers(-1, vocabulary, columns).astype(np.int32)
    targets[0] = vocabulary - 1
    cuts = np.cumsum(parts)[:-1]
    read = [strided(rows, columns, dtype) for rows in parts]
    written = [strided(rows, columns, FLOAT) for rows in parts]
    for part, values in zip(read, np.split(logits, cuts), strict=True):
        part[...] = values
    loss, counted = kernels.cross_entropy(read, targets, scale=3.5, gradient=written)
    expected, gradient = cross_entropy_in_numpy(logits, targets, 3.5)
    assert counted == (targets >= 0).sum()
    assert loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(np.concatenate(written), gradient, rtol=1e-6, atol=1e-9)
    assert all(map(gaps_are_whole, written))
    assert kernels.cross_entropy(read, targets) == (loss, counted)


@pytest.mark.parametrize("dtype", [HALF, FLOAT])
def test_cross_entropy_in_place(dtype: type) -> None:
    logits = normal(600, 20).astype(dtype)
    targets = np.arange(20, dtype=np.int32) * 30
    _, expected = cross_entropy_in_numpy(logits, targets, 1024)
    apart = np.empty_like(logits)
    first = kernels.cross_entropy(logits, targets, scale=1024, gradient=apart)
    assert first == kernels.cross_entropy(logits, targets, scale=1024, gradient=logits)
    np.testing.assert_array_equal(apart, logits)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-5)


def test_cross_entropy_of_extremes() -> None:
    logits = np.zeros((1030, 6), FLOAT)
    logits[3, 0] = 3e38  # certain
    logits[:, 1] = -np.inf
    logits[7, 1] = -2  # the only one left
    logits[900, 2] = np.nan
    logits[900, 3] = np.inf
    logits[900, 4] = np.nan  # left out
    targets = np.array([3, 7, 0, 0, -1, 5], np.int32)
    gradient = np.full_like(logits, 9)
    loss, counted = kernels.cross_entropy(logits, targets, gradient=gradient)
    assert (np.isnan(loss), counted) == (True, 5)
    assert np.isnan(gradient[:, 2:4]).all()
    assert (gradient[:, [0, 1, 4]] == 0).all()
    good, _ = kernels.cross_entropy(np.ascontiguousarray(logits[:, [0, 1, 5]]), targets[[0, 1, 5]])
    assert good == pytest.approx(np.log(1030))


def test_an_fp16_gradient_that_is_too_large_is_infinite() -> None:
    logits, gradient = np.zeros((2, 8), HALF), np.zeros((2, 8), HALF)
    kernels.cross_entropy(logits, np.zeros(8, np.int32), scale=1e6, gradient=gradient)
    assert (gradient[0] == -np.inf).all() and (gradient[1] == np.inf).all()


# ---- embedding ----


@pytest.mark.parametrize("dtype", [HALF, FLOAT])
@pytest.mark.parametrize(("channels", "tokens"), [(1, 1), (13, 21), (64, 16), (130, 100)])
def test_embedding_gather(dtype: type, channels: int, tokens: int) -> None:
    table = strided(50, channels, FLOAT)
    table[...] = normal(50, channels)
    ids = random.integers(0, 50, tokens).astype(np.int32)
    out = strided(channels, tokens, dtype)
    kernels.embedding_gather(table, ids, out)
    np.testing.assert_array_equal(out, table[ids].T.astype(dtype))
    assert gaps_are_whole(out)


@pytest.mark.parametrize("dtype", [HALF, FLOAT])
@pytest.mark.parametrize(("channels", "tokens"), [(1, 1), (13, 21), (64, 16), (130, 100)])
def test_embedding_scatter_add(dtype: type, channels: int, tokens: int) -> None:
    table = strided(10, channels, FLOAT)
    table[...] = normal(10, channels)
    expected = table.copy()
    ids = random.integers(0, 10, tokens).astype(np.int32)
    gradient = strided(channels, tokens, dtype)
    gradient[...] = normal(channels, tokens)
    for column, token in enumerate(ids):
        expected[token] += gradient[:, column].astype(FLOAT) * FLOAT(0.1)
    assert kernels.embedding_scatter_add(table, ids, gradient, 0.1) is True
    np.testing.assert_array_equal(table, expected)
    assert gaps_are_whole(table)
    gradient[channels - 1, tokens - 1] = np.inf
    assert kernels.embedding_scatter_add(table, ids, gradient, 0.1) is False
