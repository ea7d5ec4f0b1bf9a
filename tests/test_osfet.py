"""The oxide-semiconductor transistor against the figures it is made from, and what it does for a gain cell."""

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.sweeping.run import characterize, simulate
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
