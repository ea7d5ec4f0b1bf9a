"""Both gain cells against what the device card and charge conservation say they must do."""

import numpy as np
import pytest

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.sweeping.run import characterize, simulate
from netlists import with_devices

VDD = 0.9
LEVELS = np.linspace(0, VDD, 9)
HELD = 1e-12  # a storage capacitor [F] that no word line moves


@pytest.fixture(scope="module", params=["gain_cell", "gain_cell_switched"])
def cell(request):
    return registry.load_circuit(request.param)


@pytest.fixture(scope="module")
def run(cell, pool):
    """Bench and request -> dataset of the nominal corner, without its two dimensions of length one."""

    def run_bench(bench, **request):
        result = characterize(registry.plan_bench(cell.name, bench, **request), pool=pool)
        assert not result.failures, result.failures[0].reason
        return result.dataset.isel(corner=0, temp=0)

    return run_bench


@pytest.fixture(scope="module")
def current(run):
    """Bitline current over v_store at full input."""
    return run("dc", sweep={"v_store": LEVELS, "v_in": [VDD]}).i_bl.squeeze()


@pytest.fixture(scope="module")
def held(run):
    """Charge of pulses while v_store does not move."""
    pulses = [0.25e-9, 1e-9, 7e-9, 15e-9]
    return run("pulse", sweep={"v_store": LEVELS[::2], "t_pulse": pulses}, set_={"c_store": HELD})


def on_current(cell, kind, flavour):
    """Drain current [A] of the read transistor alone, on, its drain at half the supply."""
    technology, p = registry.load_technology(), cell.params.resolve({"read_flavour": flavour})
    size = f"{kind}_{p['read_flavour']} w={p[f'w_{kind}']} l={p[f'l_{kind}']}"
    gate, drain, rail = (VDD, VDD / 2, 0) if kind == "n" else (0, VDD / 2, VDD)
    user = f"vg g 0 {gate}\nvd d 0 {drain}\nvs s 0 {rail}\nx1 d g s s {size}"
    text = with_devices(as_netlist(technology.text), user)
    return -simulate(text, Op(), ["i(vd)"], params=technology.corner("tt"), options={"gmin": 1e-15})["i(vd)"][0]


def test_high_stored_voltage_sinks_current_from_the_bitline(current, held):
    assert float(current.sel(v_store=VDD)) > 1e-6
    assert float(current.sel(v_store=0)) < -1e-6
    longest = held.q_bl.isel(t_pulse=-1)
    assert float(longest.sel(v_store=VDD)) > 1e-15
    assert float(longest.sel(v_store=0)) < -1e-15


@pytest.mark.parametrize("flavour", ["rvt", "hvt"])
@pytest.mark.parametrize(("kind", "v_store"), [("n", VDD), ("p", 0.0)])
def test_full_current_is_that_of_the_read_transistor(cell, run, kind, v_store, flavour):
    """At either rail one transistor conducts alone: the deck's wiring, sizes and flavour, in one number."""
    data = run("dc", sweep={"v_store": [v_store], "v_in": [VDD]}, set_={"read_flavour": flavour})
    alone, in_cell = on_current(cell, kind, flavour), float(data.i_bl.squeeze())
    if cell.name == "gain_cell":
        assert in_cell == pytest.approx(alone, rel=1e-4, abs=0)
    else:  # less what drops across the switch in series
        assert 0.7 < in_cell / alone < 1


def test_idle_cell_draws_no_current(cell, run, current):
    """Word lines as rails: all three at half the supply.  With switches: whatever the bitline does within 0.25 V."""
    swing = [0.2, VDD / 2, 0.7] if cell.name == "gain_cell_switched" else [VDD / 2]
    v_idle = cell.params.resolve({})["v_idle"]
    idle = run("dc", sweep={"v_store": LEVELS, "v_in": [v_idle], "v_bl": swing}).i_bl
    assert float(np.abs(idle).max()) < 1e-5 * float(np.abs(current).max())


def test_current_grows_with_stored_voltage_and_is_nearly_odd_about_half_the_supply(current):
    assert (np.diff(current) > 0).all()
    even = current.values + current.values[::-1]
    assert np.abs(even).max() < 0.1 * np.abs(current).max()


def test_current_grows_with_the_input(cell, run):
    v_idle = cell.params.resolve({})["v_idle"]
    i_bl = run("dc", sweep={"v_store": [0.0, VDD], "v_in": np.linspace(v_idle, VDD, 6)}).i_bl.squeeze()
    assert (np.diff(i_bl.sel(v_store=VDD)) > 0).all()
    assert (np.diff(i_bl.sel(v_store=0)) < 0).all()


def test_a_wider_n_transistor_sinks_more_at_every_stored_voltage(cell, run, current):
    w_n = cell.params.resolve({})["w_n"]
    wider = run("dc", sweep={"v_store": LEVELS, "v_in": [VDD]}, set_={"w_n": 1.5 * w_n}).i_bl.squeeze()
    assert (wider > current).all()
    assert float(wider.sel(v_store=VDD) / current.sel(v_store=VDD)) == pytest.approx(1.5, abs=0.15)
    assert float(wider.sel(v_store=0) / current.sel(v_store=0)) == pytest.approx(1.0, abs=1e-3)


def test_charge_is_linear_in_pulse_width(run):
    data = run("pulse", sweep={"v_store": LEVELS[::2], "t_pulse": [0.25e-9, 0.5e-9, 1e-9, 4e-9, 15e-9]})
    t, q = data.t_pulse.values, data.q_bl.values.T
    line = np.polynomial.polynomial.polyfit(t, q, 1)
    residual = q - line[0] - np.outer(t, line[1])
    assert np.abs(residual).max() < 1e-4 * np.abs(q).max()


def test_charge_per_time_is_the_dc_current_of_the_voltage_that_is_stored(held, current):
    """Transient and operating point agree once the word lines can no longer move the storage node."""
    span = held.t_pulse[-1] - held.t_pulse[0]
    i_eff = (held.q_bl.isel(t_pulse=-1) - held.q_bl.isel(t_pulse=0)) / span
    expected = current.sel(v_store=held.v_store, method="nearest")
    np.testing.assert_allclose(i_eff, expected, atol=2e-3 * np.abs(current).max())


def test_charge_of_a_long_pulse_is_current_times_width(held, current):
    share = held.q_bl / (current.sel(v_store=held.v_store, method="nearest") * held.t_pulse)
    at_rails = np.abs(share.sel(v_store=[0.0, VDD]) - 1).max("v_store")
    assert (np.diff(at_rails) < 0).all(), "the edges matter less the longer the pulse"
    assert float(at_rails[-1]) < 5e-3


def test_kick_of_the_word_lines_halves_when_the_capacitor_doubles(run):
    sizes = [5e-15, 10e-15, 20e-15]
    kick = run("pulse", sweep={"c_store": sizes, "v_store": [0.0, VDD], "t_pulse": [2e-9]}).dv_store
    kick = kick.squeeze().transpose("c_store", "v_store").values
    ratio = kick[1:] / kick[:-1]
    assert (np.abs(ratio - 0.5) < 0.1).all()
    # The parasitic capacitor beside c_store matters less the larger c_store is.
    assert (np.abs(ratio[1] - 0.5) < np.abs(ratio[0] - 0.5)).all()


def test_energy_is_what_flows_between_bitline_and_word_line(run, current):
    """Current from the bitline at half the supply to a rail: vdd/2 |i| per time, drivers made wide enough."""
    wide = {"c_store": HELD, "w_driver": 50e-6}
    energy = run("energy", sweep={"v_store": [0.0, VDD], "t_pulse": [4e-9, 15e-9]}, set_=wide).e_cell
    power = (energy.isel(t_pulse=1) - energy.isel(t_pulse=0)) / 11e-9
    expected = VDD / 2 * np.abs(current.sel(v_store=[0.0, VDD]).values)
    np.testing.assert_allclose(power, expected, rtol=3e-3)


def test_drivers_lose_what_it_takes_to_charge_both_word_lines(cell, run):
    """Charging and discharging a wire from a rail costs c v^2, whatever the transistor."""
    data = run("energy", sweep={"c_wire": [0.8e-15, 10.8e-15], "v_store": [VDD / 2], "t_pulse": [4e-9]})
    extra = float(np.diff(data.e_driver.squeeze())[0])
    swing = VDD - cell.params.resolve({})["v_idle"]
    assert extra == pytest.approx(2 * 10e-15 * swing**2, rel=0.02, abs=0)


def test_written_levels_arrive_within_a_few_millivolt(run):
    data = run("write")
    assert data.v_dac.size == 8
    assert float(np.abs(data.v_store - data.v_dac).max()) < 6e-3
    assert float(np.abs(data.dv_settle).max()) < 2e-3
    np.testing.assert_allclose(data.v_store, data.v_dac + data.dv_settle + data.dv_feed, atol=1e-9)


def test_feed_through_halves_when_the_capacitor_doubles(run):
    """The gate's charge is injected into the storage node, so its error goes with one over the capacitor."""
    feed = run("write", sweep={"c_store": [10e-15, 20e-15], "v_dac": [0.0, VDD]}).dv_feed
    np.testing.assert_allclose(feed.isel(c_store=1) / feed.isel(c_store=0), 0.5, atol=0.07)


def test_what_was_stored_before_a_write_is_gone(run):
    found = run("write", sweep={"v_before": [0.0, VDD], "v_dac": [0.0, VDD / 2, VDD]}).v_store
    assert float(np.abs(found.isel(v_before=1) - found.isel(v_before=0)).max()) < 2e-3


def test_charge_scales_with_the_supply_it_is_given(run, current):
    """A lower supply means lower word lines and half levels: every tied default follows."""
    low = run("dc", sweep={"v_store": [0.0, 0.8]}, set_={"vdd": 0.8, "v_in": 0.8}).i_bl.squeeze()
    assert 0 < float(low.sel(v_store=0.8)) < 0.9 * float(current.sel(v_store=VDD))
    assert low.attrs["units"] == "A"


def test_energy_and_pulse_are_of_the_same_charge(pool):
    axes = {"v_store": [0.0, 0.3, 0.6, 0.9], "t_pulse": [1e-9, 15e-9]}
    energy, pulse = (gc.sweep("gain_cell", bench, axes=axes, pool=pool).q_bl for bench in ("energy", "pulse"))
    assert float(np.abs(energy - pulse).max()) < 1e-4 * float(np.ptp(pulse.to_numpy()))


def test_the_sag_of_word_lines_is_that_of_their_sources(pool):
    """Theory: the bitline's current is that of wlrb less that of wlr; a sag of both takes current from both."""
    sags = {"dv_wlr": [0.0, 0.04], "dv_wlrb": [0.0, 0.04]}
    sagging = gc.sweep("gain_cell", "sag", axes={"v_store": [0.1, 0.8], **sags}, pool=pool)
    still = sagging.isel(dv_wlr=0, dv_wlrb=0)
    current = gc.sweep("gain_cell", "bitline", axes={"v_store": [0.1, 0.8], "dv_bl": [0.0]}, pool=pool).i_on
    np.testing.assert_allclose((still.i_wlrb - still.i_wlr).squeeze(), current.squeeze(), rtol=2e-4)
    both = sagging.isel(dv_wlr=1, dv_wlrb=1)
    assert both.i_wlr.sel(v_store=0.1).item() < 0.95 * still.i_wlr.sel(v_store=0.1).item()
    assert both.i_wlrb.sel(v_store=0.8).item() < 0.95 * still.i_wlrb.sel(v_store=0.8).item()


def test_the_levels_of_the_dac_are_stored_within_the_sweeps(pool):
    stored = gc.sweep("gain_cell", "write", axes={"v_dac": np.linspace(0, 0.9, 8)}, pool=pool).v_store
    low, high = gc.load_model(gc.load_record("gc28", "gain_cell.pulse"), "ekv_charge").fit.valid_range["v_store"]
    assert low < float(stored.min()) < 0
    assert 0.9 < float(stored.max()) < high
