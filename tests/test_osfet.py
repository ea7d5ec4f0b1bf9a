"""The oxide-semiconductor transistor against the figures it is made from, and what it does for a gain cell."""

import sys

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.montecarlo import execute, results
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.sweeping.run import characterize, simulate
from gaincell_char.torch import Decay, GainCellArray, Write, WriteSchedule, attention
from netlists import with_devices

pytestmark = pytest.mark.ngspice
OPTIONS = {"gmin": 1e-27, "abstol": 1e-24, "reltol": 1e-6, "vntol": 1e-9}


def currents(v_gs, v_ds=0.9, temp=27.0, swapped=False):
    """Current [A] into the end at `v_ds` of a transistor 1 um wide and 60 nm long."""
    technology = registry.load_technology("osfet")
    ends = ("0", "d{}") if swapped else ("d{}", "0")
    user = "\n".join(
        f"vg{i} g{i} 0 {v!r}\nvd{i} d{i} 0 {v_ds}\nx{i} {ends[0].format(i)} g{i} {ends[1].format(i)} 0 n_os w=1u l=60n"
        for i, v in enumerate(map(float, v_gs))
    )
    vectors = simulate(
        with_devices(technology.library('tt'), user), Op(), [f"i(vd{i})" for i in range(len(v_gs))],
        params=technology.corner("tt"), options=OPTIONS, temp=temp,
    )  # fmt: skip
    return np.array([-vectors[f"i(vd{i})"][0] for i in range(len(v_gs))])


def test_it_leaks_and_switches_as_published():
    off, floor = currents([0.0, -0.6])
    assert off == pytest.approx(2e-18, rel=0.1, abs=0)
    assert floor == pytest.approx(6e-19, rel=1e-3, abs=0)
    low, high = currents([0.3, 0.4])
    assert 0.1 / np.log10(high / low) == pytest.approx(0.075, rel=0.03)
    # Strong inversion at 20 cm2/Vs: mu cox w/l (v_ov^2 / 2n) at saturation, less what theta takes.
    [on] = currents([1.88], v_ds=3.0)
    ideal = 20e-4 * 8.854e-12 * 7 / 4e-9 * (1 / 0.06) / 2 / 1.25
    assert 0.7 * ideal < on < 0.85 * ideal


def test_either_end_may_be_the_source():
    v_gs = [0.0, 0.4, 0.9, 1.5]
    np.testing.assert_allclose(currents(v_gs, swapped=True), currents(v_gs), rtol=1e-5)


def test_heat_makes_it_leak():
    cold, hot = (currents([0.2], temp=temp)[0] for temp in (27.0, 85.0))
    assert hot > 10 * cold


def v_store(technology, time, pool, **options):
    plan = registry.plan_bench(
        "capacitor_decay",
        "decay",
        technology=technology,
        sweep={"time": time, "v_wbl": [0.45], "v_init": [0.0, 0.9]},
        options=options,
    )
    result = characterize(plan, pool=pool)
    assert not result.failures
    return result.dataset.v_store.isel(corner=0, temp=0, v_wbl=0)


def test_an_oxide_cell_keeps_over_twelve_decades_what_silicon_loses_in_one(pool):
    time = np.geomspace(1e-9, 1e3, 25).tolist()
    oxide, silicon = (v_store(name, time, pool) for name in ("osfet", "gc28"))
    moved = {"osfet": np.abs(oxide - oxide.v_init), "gc28": np.abs(silicon - silicon.v_init)}
    half_lsb = 0.9 / 7 / 2
    assert float(moved["osfet"].max()) < half_lsb
    assert float(moved["gc28"].sel(time=1e-2, method="nearest").max()) > half_lsb
    # The charge that left in 1000 s is what the floor carries, to within a factor: nothing else leaks.
    lost = 5e-15 * float(moved["osfet"].sel(v_init=0.9)[-1])
    assert 0.5 < lost / (6e-19 * 0.1 * 1e3) < 3


@pytest.mark.parametrize(("name", "time", "least", "most"), [("osfet", 1e3, 0.0, 1e-6), ("gc28", 1e-3, 0.05, 0.2)])
def test_gmin_is_not_what_leaks(name, time, least, most, pool):
    """It lies across junctions, of which an oxide cell has none; in silicon, ngspice's own would leak as much."""
    small, large = (v_store(name, np.geomspace(1e-3 * time, time, 7).tolist(), pool, gmin=g) for g in (1e-30, 1e-12))
    assert least <= float(np.abs(small - large).max()) <= most


# --- Monte Carlo of the write transistor ----------------------------------------------------------------------------

SLOPE_27, SLOPE_85 = 1.25 * 8.617333e-5 * 300.15, 1.25 * 8.617333e-5 * 358.15
"""Volts of threshold for a factor e of the subthreshold current."""
DIE, DEVICE = 0.05, 3e-9 / np.sqrt(100e-9 * 60e-9)
"""Sigmas of the threshold in technology.toml [V], over dies and of one transistor."""


def samples(bench, n, pool, **request):
    """Outputs of a campaign over samples and grid."""
    planned = plan_campaign("capacitor_decay", bench, technology="osfet", **request)
    items = execute.simulate_samples(planned, n, pool)
    assert not [item.reason for item in items if item.reason]
    outputs = {o.name: [item.values[o.name].tolist() for item in items] for o in planned.plan.bench.outputs}
    return results.to_grid(planned, pd.DataFrame(outputs), n).squeeze(["corner", "temp"])


@pytest.mark.parametrize(
    ("vary", "sigma"), [("mismatch", DEVICE), ("process", DIE), ("both", float(np.hypot(DIE, DEVICE)))]
)
def test_the_leak_of_a_cell_is_log_normal_with_the_threshold_of_its_write_transistor(vary, sigma, pool):
    """The subthreshold current has the threshold in its exponent; the floor is the same in every cell."""
    grid = samples("leak", 64, pool, vary=vary, sweep={"v_store": [0.0, 0.9]})
    low, high = (-grid.i_leak.sel(v_store=v).squeeze().to_numpy() for v in (0.0, 0.9))
    np.testing.assert_allclose(high, -6e-20, rtol=1e-3)
    assert np.log(low - 6e-20).std() == pytest.approx(sigma / SLOPE_27, rel=0.08)


def test_the_threshold_of_the_oxide_is_not_that_of_the_silicon(pool):
    """A die with other transistors in silicon writes with the same one."""
    technology = registry.load_technology("osfet")
    others = dict.fromkeys([name for name in technology.process if not name.endswith("_os")], 0.05)
    dies = {"tt": {}, "silicon": others, "oxide": {"process_vth_os": 0.05}}
    plan = registry.plan_bench(
        "capacitor_decay", "leak", technology=technology.model_copy(update={"corners": dies}), corners=list(dies),
        sweep={"v_wbl": [0.0], "v_store": [0.9]},
    )  # fmt: skip
    typical, silicon, oxide = characterize(plan, pool=pool).dataset.i_leak.to_numpy().ravel()
    assert silicon == pytest.approx(typical, rel=1e-6, abs=0)
    assert (oxide - 6e-20) / (typical - 6e-20) == pytest.approx(np.exp(-0.05 / SLOPE_27), rel=0.01)


def test_retention_has_a_spread_where_levels_move_and_is_a_bound_where_none_does(pool):
    """A low level is filled by the subthreshold current: the logarithm of its retention varies as that of the leak."""
    feature = registry.load_circuit("capacitor_decay").spread("decay").features[0]
    retention = feature.compute(samples("decay", 16, pool, vary="mismatch", temps=[85.0])).squeeze()
    low, high = (retention.sel(v_init=v).to_numpy() for v in (0.0, 0.9))
    assert np.isposinf(high).all()
    assert np.isfinite(low).all()
    assert np.log(low).std() == pytest.approx(DEVICE / SLOPE_85, rel=0.2)
    assert 5 < np.median(low) < 50


# --- the model of its leakage ---------------------------------------------------------------------------------------

VDD, TIMES = 0.9, np.geomspace(1e-3, 1e3, 13)
_oxide = sys.modules[registry.load_circuit("capacitor_decay").model("oxide_decay").function.__module__]
HOT = (1.28e-2, 0.0386, 1.1e-5, 0.0309)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    v_init=st.floats(-0.02, VDD + 0.01),
    v_wbl=st.lists(st.floats(0.0, VDD), min_size=1, max_size=4),
    first=st.floats(0.05, 1.0),
)
def test_the_steps_of_the_oxide_cell_solve_its_equation(v_init, v_wbl, first):
    shares = np.array([first, *np.full(len(v_wbl) - 1, (1 - first) / max(len(v_wbl) - 1, 1))])
    shares, v_wbl = shares / shares.sum(), np.array(v_wbl)
    solved = scipy.integrate.solve_ivp(
        lambda _, v: -_oxide._mean_leakage(v, v_wbl, shares, HOT)[0],
        (0, TIMES[-1]), [v_init], t_eval=TIMES, method="LSODA", rtol=1e-9, atol=1e-11,
    )  # fmt: skip
    found = _oxide.oxide_decay_mean(np.array(v_init), TIMES, v_wbl, shares=shares, oxide=HOT, vdd=VDD)
    np.testing.assert_allclose(found, solved.y[0], rtol=0, atol=1e-3)


def test_the_slope_of_the_oxide_leak_is_its_derivative():
    v, step, w = np.linspace(-0.02, VDD, 50), 1e-6, np.array(0.4)
    leak, slope = _oxide._leakage(v, w, HOT)
    up, down = (_oxide._leakage(v + s, w, HOT)[0] for s in (step, -step))
    np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-5, atol=1e-7)
    assert (np.sign(leak) == np.sign(v - 0.4)).all()


def test_the_flavour_of_the_write_transistor_chooses_the_model():
    circuit = registry.load_circuit("capacitor_decay")
    studies = {study.key: study for study in circuit.all_studies}
    for technology, expected in (("osfet", "oxide_decay"), ("gc28", "four_leaks")):
        fixed = registry.plan_bench("capacitor_decay", "decay", technology=technology).fixed
        assert [model.name for model in circuit.models_of(studies["decay"], fixed)] == ["exponential", expected]
    silicon = registry.plan_bench("capacitor_decay", "decay", technology="osfet", set_={"write_flavour": "svt"}).fixed
    assert circuit.models_of(studies["decay"], silicon)[1].name == "four_leaks"


# --- the head -------------------------------------------------------------------------------------------------------


def test_the_packaged_decay_is_that_of_a_transient(pool):
    """Of an idle cell over the whole time axis, at points that are no points of its study."""
    time = [0.3, 70.0, 900.0]
    simulated = v_store("osfet", time, pool).transpose("v_init", "time").to_numpy()
    decay = Decay.from_records("osfet", schedule=None)
    found = decay(torch.tensor([[0.0], [VDD]], dtype=torch.float64), torch.tensor(time, dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), simulated, rtol=0, atol=0.3e-3)


def test_an_oxide_cell_in_use_leaks_more_than_an_idle_one_and_less_than_silicon():
    """Of the highest level: a level in the middle is pulled up by some of the others."""
    v, time = torch.tensor([VDD], dtype=torch.float64), torch.tensor([0.01], dtype=torch.float64)
    idle, in_use = (
        float(v - Decay.from_records("osfet", schedule=schedule)(v, time))
        for schedule in (None, WriteSchedule(t_write=50e-9, tile=1024))
    )
    silicon = float(v - Decay.from_records("gc28")(v, time))
    assert 0 < idle < in_use < 1e-5 * silicon


def test_the_leaks_of_oxide_cells_have_the_spread_of_their_threshold():
    leaks = Decay.sample_leaks((4, 64, 64), torch.Generator().manual_seed(1), records="osfet")
    assert leaks.keys() == {"r_lo"}
    assert float(leaks["r_lo"].log().std()) == pytest.approx(DEVICE / SLOPE_27, rel=0.03)
    array = GainCellArray(torch.full((64, 64), VDD, dtype=torch.float64), records="osfet")
    hours = Decay.from_records("osfet", schedule=WriteSchedule(tile=1024))
    aged = hours(array.v_store, torch.tensor(100.0, dtype=torch.float64), {"r_lo": leaks["r_lo"][0]})
    assert aged.shape == (64, 64)
    assert 1e-4 < float(aged.std()) < 0.1


def test_codes_are_written_within_the_range_of_the_models():
    """A write ends below its level, and nothing is clamped: the warning about that would be an error."""
    generator = torch.Generator().manual_seed(2)
    q, k, v = (torch.randint(0, levels, (2, 20, 16), generator=generator) for levels in (16, 8, 8))
    output = attention(q, k, v, records="osfet")
    assert torch.isfinite(output).all()
    stored = Write.from_records("osfet")(torch.arange(8))
    assert -0.018 < float((stored - torch.linspace(0, VDD, 8, dtype=torch.float64)).min()) < -0.015


@pytest.mark.filterwarnings("ignore:.*values outside are clamped")  # forms cubic and dc begin at -10 mV
def test_a_column_of_the_head_agrees_with_spice(gaincell, tmp_path):
    """K and V are written through the oxide transistor in SPICE, and by the model of the write."""
    rng = np.random.default_rng(3)
    levels = np.linspace(0, VDD, 8)
    k, v = levels[rng.integers(4, 8, (8, 8))], levels[rng.integers(0, 8, (8, 8))]  # low keys hardly ever give a pulse
    np.savez(tmp_path / "inputs.npz", Q=rng.integers(0, 16, (8, 8)) / 15, K=k, V=v)
    request = ("--inputs", "inputs.npz", "--columns", 1, "--write", "--workers", 1)
    status, out, err = gaincell("compare", "--tech", "osfet", "-o", "c", "--gate", *request)
    assert status == 0, (out, err)
    assert "2 of 2 passes simulated" in out
    assert "undecided" not in err
