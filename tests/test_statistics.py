"""Statistics against theory: intervals that cover, shares that are known, samples that failed."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaincell_char.errors import DataError, ParameterError
from gaincell_char.fitting import statistics as s
from gaincell_char.fitting.specs import parse_goal, parse_spec
from gaincell_char.montecarlo.sensitivity import estimate_contributions

RNG = np.random.default_rng(11)
SAMPLES = arrays(float, st.integers(20, 60), elements=st.floats(-1e3, 1e3), unique=True)


def test_moments_of_a_known_sample():
    found = s.moments(np.array([1.0, 2.0, 3.0, 4.0, np.nan]))
    assert (found.n, found.n_missing, found.mean) == (4, 1, 2.5)
    assert found.sigma == pytest.approx(math.sqrt(5 / 3))
    # Student's t and chi-square quantiles for three degrees of freedom, from tables.
    assert found.mean_high - found.mean == pytest.approx(3.1824 * found.sigma / 2, rel=1e-4)
    assert found.sigma_low == pytest.approx(found.sigma * math.sqrt(3 / 9.3484), rel=1e-4)
    assert found.sigma_high == pytest.approx(found.sigma * math.sqrt(3 / 0.21580), rel=1e-4)


@pytest.mark.parametrize("statistic", ["mean", "sigma"])
@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(statistic):
    truth = {"mean": 3.0, "sigma": 2.0}[statistic]
    found = [s.moments(RNG.normal(3, 2, 25)) for _ in range(1000)]
    inside = [getattr(m, f"{statistic}_low") <= truth <= getattr(m, f"{statistic}_high") for m in found]
    assert 0.925 < np.mean(inside) < 0.975


@given(SAMPLES, st.floats(0.1, 10), st.floats(-100, 100))
def test_moments_follow_scale_and_shift(values, scale, shift):
    one, other = s.moments(values), s.moments(scale * values + shift)
    assert other.sigma == pytest.approx(scale * one.sigma, rel=1e-6, abs=1e-6)
    assert other.mean == pytest.approx(scale * one.mean + shift, rel=1e-6, abs=1e-6)


@given(SAMPLES, st.integers(1, 9))
def test_a_failed_sample_is_counted_and_changes_nothing(values, missing):
    spoiled = np.insert(values, 3, np.full(missing, np.nan))
    one, other = vars(s.moments(values)), vars(s.moments(spoiled))
    assert other.pop("n_missing") == missing
    one.pop("n_missing")
    assert other == pytest.approx(one, nan_ok=True)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0, 1.0], [math.nan] * 3, list(range(10))])
def test_too_few_samples_give_no_number_instead_of_a_wrong_one(values):
    found = s.moments(np.array(values, dtype=float))
    assert math.isnan(found.p_normal)
    assert math.isnan(found.skew)
    assert math.isnan(found.sigma) == (found.n < 2)


def test_normality_is_doubted_where_it_should_be():
    assert s.moments(RNG.normal(size=500)).p_normal > 1e-3
    assert s.moments(RNG.exponential(size=500)).p_normal < 1e-6
    assert s.moments(RNG.exponential(size=500)).skew > 1


def test_quantile_intervals_hold_the_truth_as_often_as_they_say():
    inside = []
    for _ in range(500):
        row = s.quantiles(RNG.exponential(size=100), (0.9,)).iloc[0]
        inside.append(row["low"] <= -math.log(0.1) <= row["high"])
        assert row["low"] <= row["value"] <= row["high"]
    assert np.mean(inside) > 0.94


def test_a_quantile_beyond_the_samples_has_no_bound():
    row = s.quantiles(RNG.normal(size=50), (0.99865,)).iloc[0]
    assert math.isnan(row["high"])
    assert row["low"] < row["value"]


def test_quantiles_of_samples_on_both_sides_of_the_sweep():
    values = [-math.inf, -math.inf, 1.0, 3.0, math.inf]
    row = dict(s.quantiles(values, (0.1, 0.3, 0.5, 0.6, 0.95))[["probability", "value"]].to_numpy())
    assert row == {0.1: -math.inf, 0.3: -math.inf, 0.5: 1.0, 0.6: pytest.approx(1.8), 0.95: math.inf}
    found = s.moments([-math.inf, 1.0, 3.0])
    assert (found.n, found.n_beyond) == (3, 1)
    assert math.isnan(found.mean)


@pytest.mark.parametrize(("value", "said"), [(math.inf, "> 1000"), (-math.inf, "< 0.001"), (3.0, ""), (math.nan, "")])
def test_a_censored_value_is_named_by_the_end_of_the_sweep(value, said):
    assert s.describe_censored(value, (1e-3, 1e3)) == said
    assert s.describe_censored(value, (-math.inf, math.inf)) == ""


def test_a_spec_picks_its_output_and_its_place():
    spec = parse_spec("i_bl@v_store=0.9, v_in=450m >= 8uA", {"i_bl": "A"})
    assert (spec.output, spec.relation, spec.limit, dict(spec.where)) == (
        "i_bl",
        ">=",
        8e-6,
        {"v_store": 0.9, "v_in": 0.45},
    )
    assert spec.passes(np.array([8e-6, 7.9e-6, np.nan])).tolist() == [True, False, False]
    below = parse_spec("offset of positive charge<600p", {"offset of positive charge": "s"})
    assert below.passes(np.array([599e-12, 600e-12])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("i_bl", "write OUTPUT > LIMIT"), ("i_bl > 8u > 9u", "write OUTPUT"), ("x > 1", "there is no 'x'; have i_bl"),
        ("i_bl > 8uV", "8uV"), ("i_bl @ v_store > 1", "after @ write NAME=VALUE, not 'v_store'"),
        ("i_bl = 3", "write OUTPUT"), ("", "write OUTPUT"),
    ],
)  # fmt: skip
def test_a_spec_that_is_none_is_refused(text, says):
    with pytest.raises(ParameterError, match=says):
        parse_spec(text, {"i_bl": "A"})


def test_wilsons_interval_is_wilsons():
    """Newcombe, Stat. Med. 17, 857 (1998), table I: 81 of 263 and 0 of 20."""
    found = s.wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    found = s.wilson(0, 20)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0, 0.1611)
    assert math.isnan(s.wilson(0, 0).value)


def test_a_goal_is_met_with_enough_samples():
    values = RNG.normal(10, 2, 4000)
    sigma, mean = parse_goal("sigma<3%"), parse_goal(" mean < 4 % ")
    assert sigma.width(values[:500]) > sigma.limit > sigma.width(values)
    assert mean.width(values[:500]) > mean.limit > mean.width(values)
    # Half-widths known from theory: 1.96/sqrt(2 n) and 1.96/sqrt(n).
    assert sigma.width(values) == pytest.approx(1.96 / math.sqrt(8000), rel=0.05)
    assert mean.width(values) == pytest.approx(1.96 / math.sqrt(4000), rel=0.05)
    share = parse_goal("yield<1%")
    assert share.width(np.array([True] * 50)) > share.limit > share.width(np.array([True] * 500))
    assert sigma.width(np.array([1.0])) == sigma.width(np.array([2.0, 2.0])) == math.inf


@pytest.mark.parametrize("text", ["sigma", "sigma<2", "sigma<0%", "sigma<150%", "median<2%", "sigma>2%", "mean<..%"])
def test_a_goal_that_is_none_is_refused(text):
    with pytest.raises(ParameterError, match="write 'sigma<2%', 'mean<1%' or 'yield<1%'"):
        parse_goal(text)


def _known(n=2000):
    rng = np.random.default_rng(2000)  # of its own: the order of the tests must not matter
    draws = pd.DataFrame(rng.normal(size=(n, 5)), columns=["a.dvth", "a.dmu", "b.dvth", "b.dmu", "c.dvth"])
    values = 3 * draws["a.dvth"] + 1 * draws["a.dmu"] - 2 * draws["b.dvth"] + rng.normal(0, 1, n)
    return draws, values.to_numpy(), {name: name[0] for name in draws}


def test_contributions_are_the_known_shares():
    draws, values, groups = _known()
    found = estimate_contributions(draws, values, groups).set_index("group")
    for group, share in {"a": 10 / 15, "b": 4 / 15, "c": 0.0, "rest": 1 / 15}.items():
        row = found.loc[group]
        assert row["share"] == pytest.approx(share, abs=0.03)
        assert row["low"] - 0.01 <= share <= row["high"] + 0.01
        assert row["high"] - row["low"] < 0.09
    assert found["share"].sum() == pytest.approx(1.0)
    assert list(found.index) == ["a", "b", "c", "rest"]


def test_devices_that_do_nothing_do_not_add_up():
    rng = np.random.default_rng(4)
    covered, bias = 0, 0.0
    for repeat in range(20):
        draws = pd.DataFrame(rng.normal(size=(300, 40)), columns=[f"m{i}" for i in range(40)])
        values = 3 * draws["m0"] + rng.normal(size=300)
        groups = {name: name if name == "m0" else "idle" for name in draws.columns}
        found = estimate_contributions(draws, values, groups, n_bootstrap=100, seed=repeat).set_index("group")
        covered += bool(found.loc["rest", "low"] <= 0.1 <= found.loc["rest", "high"])
        bias += found.loc["idle", "share"] / 20
    # Squared slopes would give the 39 idle devices 39 / 300 of what is left, and no interval that holds the rest.
    assert abs(bias) < 0.004
    assert covered >= 16


def test_contributions_bear_missing_samples():
    draws, values, groups = _known()
    missing = values.copy()
    missing[::7] = np.nan
    found, whole = (estimate_contributions(draws, v, groups).set_index("group") for v in (missing, values))
    assert np.abs(found["share"] - whole["share"]).max() < 0.03


def test_what_is_not_linear_is_the_rest():
    draws = pd.DataFrame(RNG.normal(size=(3000, 2)), columns=["a", "b"])
    values = (draws["a"] + draws["a"] * draws["b"]).to_numpy()
    found = estimate_contributions(draws, values, {"a": "a", "b": "b"}).set_index("group")["share"]
    assert found["rest"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("n", "spoil", "says"),
    [(6, 1.0, "6 finished samples are too few for 5 variables; 7 are needed"), (50, 0.0, "the values do not vary")],
)
def test_contributions_that_nobody_can_know_are_refused(n, spoil, says):
    draws, values, groups = _known(n)
    with pytest.raises(DataError, match=says):
        estimate_contributions(draws, values * spoil + 1.0 * (spoil == 0), groups)


@settings(max_examples=20)
@given(SAMPLES)
def test_the_worst_samples_are_the_farthest(values):
    frame = pd.DataFrame({"sample": range(len(values)), "value": values})
    found = s.worst(frame, "value", 3)
    far = np.sort(np.abs(values - np.median(values)))[::-1][:3]
    assert np.abs(found["value"] - np.median(values)).to_list() == pytest.approx(far.tolist())
    assert (np.sign(found["distance"]) == np.sign(found["value"] - np.median(values))).all()


def test_no_spread_has_no_worst_sample():
    assert s.worst(pd.DataFrame({"value": [1.0, 1.0, np.nan]}), "value").empty


def test_convergence_ends_with_all_samples():
    values = RNG.normal(size=300)
    found = s.convergence(values)
    last, whole = found.iloc[-1], s.moments(values)
    assert (last["n"], last["sigma"]) == (300, whole.sigma)
    assert found["n"].is_monotonic_increasing
    assert found["n"].iloc[0] == 8


def test_correlation_bears_missing_samples():
    a = RNG.normal(size=400)
    frame = pd.DataFrame({"a": a, "b": -2 * a, "c": RNG.normal(size=400), "d": 1.0})
    frame.loc[3, "b"] = np.nan
    found = s.correlation(frame)
    assert found.loc["a", "b"] == pytest.approx(-1)
    assert abs(found.loc["a", "c"]) < 0.2
    assert math.isnan(found.loc["a", "d"])
