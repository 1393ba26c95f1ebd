"""Coefficients are what published measurements give; error bands come from those left out."""

from __future__ import annotations

import pytest

from orion.estimate.fit import AS_STATED, CHIPS, FITTED, band, error_band, fit, peaks, ratio
from orion.estimate.published import measurements
from orion.runtime import profile, profile_names

# Of the rows' digits, which are rounded.
ROUNDED = 0.03
# Peaks are tables' numbers, which others read off the same measurements.
READ_OFF = 0.08


@pytest.mark.parametrize("name", [name for name in CHIPS if name not in AS_STATED])
def test_fitted_coefficients_are_the_fit(name: str) -> None:
    row, rows = profile(name), measurements(*CHIPS[name])
    said = {line["coefficient"]: line for line in row["cost_rows"]}
    found = fit(rows, row["cost"])
    for coefficient in FITTED:
        if said[coefficient]["evidence"] == "fitted":
            assert row["cost"][coefficient] == pytest.approx(found[coefficient], rel=ROUNDED)
    if not any(line["evidence"] == "interpolated" for line in (said["conv_flops"],)):
        for coefficient, value in peaks(rows, row["cost"]).items():
            assert row["cost"][coefficient] == pytest.approx(value, rel=READ_OFF)


def test_a_fit_without_a_row_foretells_it() -> None:
    """What the band of M5 says; the others are made the same way (scripts/fit-costs)."""
    row = profile("m5-macos26")
    low, high = error_band(row)
    assert (row["cost"]["band_low"], row["cost"]["band_high"]) == pytest.approx(
        (low, high), rel=ROUNDED
    )
    assert low < 1 < high


def test_nothing_is_fitted_to_the_paper_and_to_small_programs() -> None:
    row = profile("paper")
    ratios = [ratio(one, row["cost"]) for one in measurements(*CHIPS["paper"])]
    said = (row["cost"]["band_low"], row["cost"]["band_high"])
    assert said == pytest.approx(band(ratios), rel=ROUNDED)
    assert any(not one.is_fitted for one in measurements("M4"))


def test_a_band_leaves_one_in_twenty_out_at_each_end() -> None:
    assert band([float(n) for n in range(21)]) == (1.0, 19.0)
    assert band([2.0]) == (2.0, 2.0)


@pytest.mark.parametrize("name", profile_names())
def test_every_coefficient_says_where_it_comes_from(name: str) -> None:
    row = profile(name)
    assert {line["coefficient"]: line["value"] for line in row["cost_rows"]} == row["cost"]
    for line in row["cost_rows"]:
        assert line["unit"] and line["meaning"]
        assert line["evidence"] in ("measured", "fitted", "interpolated", "assumed")
        if line["value"] and name != "cpu":
            known = line["source"] is not None or line["evidence"] == "assumed"
            assert known, line["coefficient"]
