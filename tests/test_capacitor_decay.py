"""Retention against conservation of charge: what leaks from a capacitor is what it loses."""

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.sweeping.run import characterize

VDD = 0.9
EARLY = np.linspace(1e-7, 2e-6, 12)
LONG = np.geomspace(1e-6, 10.0, 40)


@pytest.fixture(scope="module")
def run(pool):
    """Bench and request -> dataset, without dimensions of length one."""

    def run_bench(bench, sweep=None, **request):
        request["sweep"] = {"v_wbl": [VDD / 2], **(sweep or {})}
        result = characterize(registry.plan_bench("capacitor_decay", bench, **request), pool=pool)
        assert not result.failures, result.failures[0].reason
        return result.dataset.squeeze()

    return run_bench


@pytest.fixture(scope="module")
def leak(run):
    return run("leak").i_leak


@pytest.fixture(scope="module")
def relaxed(run):
    """From both rails to the end."""
    return run("decay", sweep={"v_init": [0.0, VDD], "time": LONG}).v_store


@pytest.fixture(scope="module")
def decay(run):
    return run("decay", sweep={"v_init": [0.0, VDD]}).v_store


def test_leakage_has_one_zero_and_pulls_towards_it(leak):
    assert (np.diff(np.sign(leak)) != 0).sum() == 1
    assert float(leak[0]) < 0 < float(leak[-1])
    assert (np.diff(leak) > 0).all()


@pytest.mark.parametrize("v_init", [0.0, VDD])
def test_initial_slope_is_leakage_over_capacitance(run, leak, v_init):
    """Two capacitors with the same unknown parasitic beside them: 1/slope differs by their difference over i_leak."""
    sizes = [5e-15, 50e-15]
    v = run("decay", sweep={"c_store": sizes, "v_init": [v_init], "time": EARLY}).v_store.transpose("c_store", "time")
    slopes = np.array([np.polynomial.polynomial.polyfit(EARLY, row, 2)[1] for row in v.values])
    i_leak = float(leak.sel(v_store=v_init))
    assert (sizes[1] - sizes[0]) / np.diff(1 / slopes)[0] == pytest.approx(-i_leak, rel=2e-3, abs=0)
    parasitic = -i_leak / slopes - sizes
    assert parasitic[0] == pytest.approx(parasitic[1], rel=0.1, abs=0)
    assert 0.1e-15 < parasitic[0] < 2e-15


def test_stored_voltage_starts_where_it_was_put(run):
    start = run("decay", sweep={"v_init": [0.0, 0.3, VDD], "time": [1e-9, 1e-8]}).v_store.sel(time=1e-9)
    np.testing.assert_allclose(start, start.v_init, atol=1e-5)


def test_stored_voltage_relaxes_monotonically_to_where_nothing_leaks(run, relaxed):
    assert (np.diff(relaxed.sel(v_init=0.0)) > -1e-6).all()
    assert (np.diff(relaxed.sel(v_init=VDD)) < 1e-6).all()
    near = run("leak", sweep={"v_store": np.linspace(0.35, 0.55, 41)}).i_leak
    balance = np.interp(0.0, near, near.v_store)
    np.testing.assert_allclose(relaxed.isel(time=-1), balance, atol=1e-4)


def test_decays_from_different_levels_keep_their_order(run):
    v = run("decay", sweep={"v_init": np.linspace(0, VDD, 4)}).v_store.transpose("v_init", "time")
    assert (np.diff(v.values, axis=0) > -1e-6).all()


def test_gmin_a_thousand_times_smaller_does_not_matter(run, leak, decay):
    smaller = {"gmin": 1e-21}
    i_leak = run("leak", options=smaller).i_leak
    assert float(np.abs(i_leak - leak).max()) < 1e-4 * float(np.abs(leak).max())
    v_store = run("decay", sweep={"v_init": [0.0, VDD]}, options=smaller).v_store
    assert float(np.abs(v_store - decay).max()) < 1e-4 * VDD


def test_the_gmin_a_simulator_starts_with_would_matter(run, leak, decay):
    """So that the test above could fail: at 1e-12 S the simulator's own conductance is half the answer."""
    default = {"gmin": 1e-12}
    i_leak = run("leak", options=default).i_leak
    assert float(np.abs(i_leak - leak).max()) > 0.05 * float(np.abs(leak).max())
    v_store = run("decay", sweep={"v_init": [0.0, VDD]}, options=default).v_store
    assert float(np.abs(v_store - decay).max()) > 0.1 * VDD


def test_heat_accelerates_leakage_and_decay(run):
    i_leak = np.abs(run("leak", sweep={"v_store": [0.0, VDD]}, temps=[27.0, 85.0]).i_leak)
    assert (i_leak.sel(temp=85) > 5 * i_leak.sel(temp=27)).all()
    v = run("decay", sweep={"v_init": [VDD], "time": np.geomspace(1e-6, 1e-3, 9)}, temps=[27.0, 85.0]).v_store
    assert (v.sel(temp=85) < v.sel(temp=27)).all()


def test_a_higher_threshold_leaks_less_at_both_rails(run):
    flavours = ["lvt", "svt", "hvt", "uhvt"]
    i_leak = np.abs(run("leak", sweep={"v_store": [0.0, VDD], "write_flavour": flavours}).i_leak)
    for v_store in (0.0, VDD):
        falling = i_leak.sel(v_store=v_store).sel(write_flavour=flavours)
        assert (np.diff(falling) < 0).all(), v_store
    assert (i_leak.sel(write_flavour="svt") > 5 * i_leak.sel(write_flavour="uhvt")).all()


def test_write_bitline_pulls_the_stored_voltage_towards_itself(run):
    levels = [0.0, VDD / 2, VDD]
    i_leak = run("leak", sweep={"v_store": [VDD / 2], "v_wbl": levels}).i_leak
    assert (np.diff(i_leak) < 0).all()
    assert float(i_leak[0]) > 0 > float(i_leak[-1])


def test_a_larger_capacitor_keeps_its_voltage_longer_in_proportion(run):
    """The same leak, eight times the capacitance: the same curve, stretched by a little less than eight in time."""
    sweep = {"c_store": [10e-15, 80e-15], "v_init": [VDD], "time": np.geomspace(1e-5, 1e-1, 90)}
    v = run("decay", sweep=sweep).v_store
    small, large = v.sel(c_store=10e-15), v.sel(c_store=80e-15)
    reached = [np.interp(-0.8, -curve, curve.time) for curve in (small, large)]
    assert 7.2 < reached[1] / reached[0] < 8


def test_times_are_the_users_and_values_do_not_depend_on_them(run, decay):
    times = [float(decay.time[i]) for i in (2, 5, 9, 12)]
    chosen = run("decay", sweep={"v_init": [0.0, VDD], "time": times}).v_store
    assert chosen.time.values.tolist() == times
    np.testing.assert_allclose(chosen, decay.sel(time=times), atol=2e-4)
    assert decay.time.size != chosen.time.size
