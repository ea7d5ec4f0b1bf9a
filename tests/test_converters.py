"""The charge-to-pulse converters against what a constant current, a window and a comparator must do."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from gaincell_char.circuits.converters._benches import pulse_width
from gaincell_char.circuits.converters._models import RELU_KNEE, SIGNED_KNEE

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.fitting.fit import Fit
from gaincell_char.sweeping.plan import SweepPlan
from gaincell_char.sweeping.run import Pool, Result, characterize

ALL = os.environ.get("GAINCELL_TESTS") == "all"
T_MAX = 15e-9
CONVERTERS = ("relu_c2p", "signed_c2p")
# 80 and 40 uA x t_max: the published full scales.
FULL_SCALE = {"relu_c2p": 1.2e-12, "signed_c2p": 0.6e-12}
WIDTH = {"relu_c2p": "t_pulse", "signed_c2p": "t_signed"}
each_converter = pytest.mark.parametrize("name", CONVERTERS)


def simulate(plan: SweepPlan, pool: Pool) -> xr.Dataset:
    result = characterize(plan, pool=pool)
    assert not result.failures, result.failures[0].reason
    return result.dataset


def width(name: str, pool: Pool, **request: Any) -> xr.DataArray:
    """Pulse width, signed where there is a sign, without the dimensions of length one."""
    return simulate(registry.plan_bench(name, "transfer", **request), pool)[WIDTH[name]].squeeze(drop=True)


def gain(name: str, pool: Pool, **request: Any) -> Any:
    """Width per charge [s/C] between a quarter and three quarters of full scale."""
    low, high = 0.25 * FULL_SCALE[name], 0.75 * FULL_SCALE[name]
    t = width(name, pool, sweep={**request.pop("sweep", {}), "q_in": [low, high]}, **request)
    return (t.sel(q_in=high) - t.sel(q_in=low)) / (high - low)


pytestmark = pytest.mark.xdist_group("converters")  # its fixtures simulate for ten seconds


@pytest.fixture(scope="module")
def transfers(simulate_once: Callable[[SweepPlan], Result]) -> dict[str, xr.Dataset]:
    """Pulses over charge; in the short form at every second charge above 0 of the study."""
    found = {}
    for name in CONVERTERS:
        plan = registry.plan_bench(name, "transfer")
        if not ALL:
            charges = np.array(plan.sweep["q_in"])
            fewer = [*charges[charges < 0], *charges[charges >= 0][::2]]
            plan = registry.plan_bench(name, "transfer", sweep={"q_in": fewer})
        found[name] = simulate_once(plan).dataset
    return found


@pytest.fixture(scope="module")
def curves(transfers: dict[str, xr.Dataset]) -> dict[str, xr.DataArray]:
    return {name: dataset[WIDTH[name]].isel(corner=0, temp=0) for name, dataset in transfers.items()}


@pytest.fixture(scope="module")
def fits() -> dict[str, Fit]:
    """The best form of each converter, as it is packaged; test_every_circuit.py fits it again."""
    best = {name: registry.load_circuit(name).models[1].name for name in CONVERTERS}
    return {name: registry.load_record("gc28", f"{name}.transfer").fit(model) for name, model in best.items()}


@pytest.mark.ngspice
@each_converter
def test_the_gain_is_one_over_the_ramp_current(name, pool):
    ideal = T_MAX / FULL_SCALE[name]

    assert gain(name, pool) == pytest.approx(ideal, rel=0.03)
    assert gain(name, pool, set_={"i_bias": 8e-6}) == pytest.approx(ideal / 0.8, rel=0.03)


@pytest.mark.ngspice
@pytest.mark.slow
def test_the_sink_is_as_strong_as_the_source(curves):
    signed = curves["signed_c2p"]
    low, high = (signed.interp(q_in=[-q, q]).to_numpy() for q in (0.15e-12, 0.45e-12))

    sink, source = np.abs(high - low) / 0.3e-12

    assert sink == pytest.approx(source, rel=0.02)


@pytest.mark.ngspice
@each_converter
def test_the_gain_does_not_depend_on_the_integrating_capacitor(name, pool):
    gains = gain(name, pool, sweep={"c_int": [2.5e-12, 3e-12, 5e-12]})

    assert float(gains.max() - gains.min()) < 0.002 * float(gains.mean())


@pytest.mark.ngspice
def test_negative_charge_gives_no_relu_pulse(curves):
    relu = curves["relu_c2p"]

    assert (relu.q_in < 0).sum() >= 4
    assert (relu[relu.q_in <= 0] == 0).all()


@pytest.mark.ngspice
@each_converter
def test_pulses_end_with_the_window(name, curves):
    beyond = curves[name][np.abs(curves[name].q_in) >= FULL_SCALE[name]]

    np.testing.assert_allclose(np.abs(beyond), T_MAX, atol=5e-12)
    assert float(np.abs(curves[name]).max()) < T_MAX + 5e-12


@pytest.mark.ngspice
@each_converter
def test_width_rises_with_charge(name, curves):
    assert (np.diff(curves[name]) > -1e-12).all()


@pytest.mark.ngspice
@each_converter
def test_the_window_follows_t_max(name, pool):
    t = width(name, pool, set_={"t_max": 8e-9}, sweep={"q_in": FULL_SCALE[name] * np.array([0.2, 0.6, 1.1])})

    assert float(t[0]) < 4e-9
    np.testing.assert_allclose(t[1:], 8e-9, atol=5e-12)


@pytest.mark.ngspice
def test_the_sign_bit_is_that_of_the_charge(transfers):
    dataset = transfers["signed_c2p"]
    clear = dataset.sel(q_in=dataset.q_in[np.abs(dataset.q_in) > 7.1e-15]).isel(corner=0, temp=0)

    np.testing.assert_array_equal(clear.sign, np.sign(clear.q_in))
    np.testing.assert_array_equal(clear.t_signed, clear.sign * clear.t_pulse)


@pytest.mark.ngspice
@each_converter
@pytest.mark.slow
def test_a_conversion_leaves_nothing_behind_if_the_reset_is_long_enough(name, pool):
    q = FULL_SCALE[name] * np.array([-1.0, 0.0, 1.0])
    request = {"t_reset": [3e-9, 5e-9], "q_prev": q, "q_in": [0.3 * FULL_SCALE[name]]}
    t = simulate(registry.plan_bench(name, "memory", sweep=request), pool).t_pulse.squeeze()

    left = np.abs(t - t.sel(q_prev=0)).max("q_prev")

    assert left.sel(t_reset=5e-9) < 1e-12
    assert left.sel(t_reset=3e-9) > 2e-12


@pytest.mark.ngspice
@each_converter
def test_the_second_of_two_conversions_is_the_one_measured(name, pool):
    q_in, q_prev = 0.5 * FULL_SCALE[name], 0.2 * FULL_SCALE[name]
    memory = simulate(registry.plan_bench(name, "memory", sweep={"q_prev": [q_prev], "q_in": [q_in]}), pool)

    alone = width(name, pool, sweep={"q_in": [q_in]})

    assert float(memory[WIDTH[name]].squeeze()) == pytest.approx(float(alone), abs=1.5e-12)


@pytest.mark.ngspice
@each_converter
def test_corners_temperatures_and_supplies_move_the_gain_by_no_more_than_an_eighth(name, pool):
    ideal = T_MAX / FULL_SCALE[name]
    process = gain(name, pool, corners=["ff", "ss"], temps=[-40.0, 125.0])
    supply = gain(name, pool, sweep={"vdd": [0.8, 1.0]})

    assert process.shape == (2, 2)
    for gains in (process, supply):
        np.testing.assert_allclose(gains, ideal, rtol=0.125)
        assert float(gains.max()) > float(gains.min())


@each_converter
def test_levels_follow_the_supply(name):
    point = registry.plan_bench(name, "transfer", set_={"vdd": 1.1}).point((0, 0, 0))

    assert point.values["v_pre"] == pytest.approx(0.55)


@pytest.mark.ngspice
@each_converter
@pytest.mark.slow
def test_widths_agree_with_a_run_a_hundred_times_tighter(name, pool):
    """0.01 % of t_max is 1.5 ps."""
    q = FULL_SCALE[name] * np.array([0.02, 0.04, 0.5])
    plan = registry.plan_bench(name, "transfer", sweep={"q_in": q})

    deviation = simulate(plan, pool).t_pulse - simulate(plan.tightened(100), pool).t_pulse

    assert float(np.abs(deviation).max()) < 1.5e-12


@pytest.mark.ngspice
@each_converter
def test_the_fitted_form_is_within_ten_picoseconds_on_charges_it_did_not_see(name, fits):
    """Random charges that were drawn after the fit: without those about the threshold, a fit cannot find it."""
    packaged = registry.load_record("gc28", f"{name}.transfer").fit(fits[name].model)

    assert packaged.fresh.n >= 24
    assert packaged.fresh.rms < 10e-12
    assert packaged.fresh.r2 > 0.9999
    crossed = fits[name].cross_validation
    assert crossed.n >= 60
    assert crossed.rms < 30e-12


@pytest.mark.ngspice
@each_converter
def test_fresh_charges_off_the_threshold_are_within_ten_picoseconds(name, fits, pool):
    """Within 0.1 fC of the threshold the comparator may give no pulse at all, which the model does not describe."""
    fit = fits[name]
    rng = np.random.default_rng(5)
    q = rng.uniform(*fit.valid_range["q_in"], 12)
    q = q[np.abs(q - fit.values()["q_0" if name == "signed_c2p" else "q_dead"]) > 1e-16]
    model = registry.load_circuit(name).models[1]

    simulated = width(name, pool, sweep={"q_in": sorted(q.tolist())})

    assert np.sqrt(np.mean((model(np.sort(q), **fit.values()) - simulated) ** 2)) < 10e-12


@pytest.mark.ngspice
@each_converter
def test_the_fitted_form_is_monotone_and_limited(name, fits):
    model = registry.load_circuit(name).models[1]
    q = np.linspace(-1.2, 1.2, 4801) * FULL_SCALE[name]

    t = model(q, **fits[name].values())

    assert t.dtype == np.float64
    assert (np.diff(t) >= 0).all()
    assert t[-1] == fits[name].coefficients["t_sat"].value
    assert t[0] == (0 if name == "relu_c2p" else -t[-1])


SIDE = {"gain": 12.5e3, "t_0": 0.5e-9, "share": 0.3, "q_1": 1e-14, "q_2": 1e-15, "step": 0.3, "bend": 0.0}
BOTH = {f"{name}_{side}": value for side in "pn" for name, value in SIDE.items()}


def test_the_relu_form_is_zero_up_to_its_dead_zone_and_a_late_line_after_it():
    q = np.array([-1e-9, 0.0, 6e-15, 6.01e-15, 0.5e-12, 1.0])

    t = RELU_KNEE(q, **SIDE, q_dead=6e-15, q_3=5e-17, t_sat=15e-9)

    assert (t[:3] == 0).all()
    assert t[3] > 0
    assert t[4] == pytest.approx(12.5e3 * (0.5e-12 - 6e-15) + 0.5e-9, rel=1e-12, abs=0)
    assert t[5] == 15e-9


def test_the_signed_form_is_odd_about_its_threshold_if_its_sides_are_alike():
    x = np.geomspace(1e-17, 1e-12, 41)

    above = SIGNED_KNEE(3e-15 + x, **BOTH, q_0=3e-15, q_3=5e-17, t_sat=15e-9)
    below = SIGNED_KNEE(3e-15 - x, **BOTH, q_0=3e-15, q_3=5e-17, t_sat=15e-9)

    np.testing.assert_allclose(above, -below, rtol=1e-9)
    assert (above > 0).all()


def waveforms(*pulses: tuple[float, float]) -> dict[str, Any]:
    """An output of 1 V with edges of 20 ps whose middles are given."""
    corners = [(t + d, v) for up, down in pulses for t, d, v in (
        (up, -1e-11, 0.0), (up, 1e-11, 1.0), (down, -1e-11, 1.0), (down, 1e-11, 0.0),
    )]  # fmt: skip
    time, out = zip((0.0, 0.0), *corners, (100e-9, 0.0), strict=True)
    return {"time": np.array(time), "v(out)": np.array(out)}


@pytest.mark.parametrize(
    ("pulses", "expected"),
    [((), 0.0), (((60e-9, 63e-9),), 3e-9), (((10e-9, 14e-9), (60e-9, 61e-9), (70e-9, 72e-9)), 3e-9)],
)
def test_pulse_width_is_the_time_at_high_level_in_the_last_conversion(pulses, expected):
    width = pulse_width(waveforms(*pulses), {"t_start": 50e-9, "vdd": 1.0})
    assert width == pytest.approx(expected, abs=1e-20)


def test_an_output_that_stays_high_is_no_pulse():
    with pytest.raises(DataError, match="high before the conversion or after it"):
        pulse_width(waveforms((40e-9, 60e-9)), {"t_start": 50e-9, "vdd": 1.0})


@each_converter
def test_a_cycle_too_short_for_its_phases_is_refused(name):
    plan = registry.plan_bench(name, "memory", set_={"t_cycle": 30e-9})

    with pytest.raises(ParameterError, match="t_cycle is too short for reset, charge and conversion window"):
        list(plan.points())


@each_converter
def test_default_charges_are_distinct_at_any_full_scale(name):
    for i_bias in (1e-7, 1e-6, 100e-6):
        assert registry.plan_bench(name, "transfer", set_={"i_bias": i_bias}).size > 30


def test_samples_without_charges_at_the_threshold_have_no_threshold(pool):
    found = gc.monte_carlo("relu_c2p", "transfer", n=2, axes={"q_in": [1e-13, 4e-13, 8e-13]}, pool=pool)
    assert len(found.samples) == 6
    assert found.record.spread.n_ok == 6
