"""The technology ihp-sg13g2: its wrapper devices are the foundry's, with its spreads."""

import re
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
from gaincell_char.sweeping.run import simulate

pytestmark = pytest.mark.ngspice
NAME = "ihp-sg13g2"
OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
FOUNDRY = {"n_svt": "sg13_lv_nmos", "p_svt": "sg13_lv_pmos"}


@pytest.fixture(scope="module")
def ihp(load_technology, newer_ngspice):
    assert newer_ngspice
    return load_technology(NAME)


def lines(instances, volts):
    """Netlist of transistors with gate and drain at a voltage; an instance is a subcircuit and its parameters."""
    found = []
    for i, (device, parameters) in enumerate(instances):
        sign = volts if "n" in device[:1] or "nmos" in device else -volts
        found += [f"vg{i} g{i} 0 {sign}", f"vd{i} d{i} 0 {sign}", f"x{i} d{i} g{i} 0 0 {device} {parameters}"]
    return found


def currents(technology, instances, pool, corner="tt", volts=1.2, **process):
    """Drain currents [A] of wrapper devices."""
    user = as_netlist("\n".join(lines(instances, volts)))
    names = [f"i(vd{i})" for i in range(len(instances))]
    found = simulate(
        prune(technology.library(corner), user) + user, Op(), names, options=OPTIONS, pool=pool,
        params={**technology.corner(corner), **process},
    )  # fmt: skip
    return np.abs([found[name][0] for name in names])


def by_hand(tmp_path, technology, library, section, instances, volts):
    """Drain currents [A] of the foundry's own subcircuits in plain ngspice."""
    program = library.parents[1] / "bin" / "ngspice"
    head = ["* by hand", ".control", f"pre_osdi {technology.compiled_files[0]}", ".endc"]
    head += [f".lib {registry.model_folder(NAME)}/models/cornerMOSlv.lib {section}"]
    options = ".options " + " ".join(f"{name}={value}" for name, value in OPTIONS.items())
    orders = [".control", "set numdgt=12", "op", *(f"print i(vd{i})" for i in range(len(instances))), ".endc", ".end"]
    (tmp_path / "deck.cir").write_text("\n".join([*head, *lines(instances, volts), options, *orders, ""]))
    done = subprocess.run([program, "-n", "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True, check=False)
    return np.abs([float(x) for x in re.findall(r"i\(vd\d+\) = (\S+)", done.stdout)])


@pytest.mark.parametrize(("corner", "section"), [("tt", "mos_tt"), ("sf", "mos_sf")])
def test_a_wrapper_is_the_foundrys_own_device(ihp, tmp_path, newer_ngspice, newer_pool, corner, section):
    sizes = ["w=0.2u l=3.4u", "w=0.6u l=0.13u", "w=4u l=1u"]
    own = currents(ihp, [(device, size) for device in FOUNDRY for size in sizes], newer_pool, corner, 0.9)
    theirs = [(device, size) for device in FOUNDRY.values() for size in sizes]
    np.testing.assert_allclose(own, by_hand(tmp_path, ihp, newer_ngspice, section, theirs, 0.9), rtol=1e-7)


def test_a_wide_gate_is_a_number_of_transistors(ihp, newer_pool):
    wide = currents(ihp, [(device, f"w={w}u l=1u") for device in FOUNDRY for w in (4, 10, 32)], newer_pool)
    np.testing.assert_allclose(wide / wide[[0, 0, 0, 3, 3, 3]], [1, 2.5, 8, 1, 2.5, 8], rtol=1e-6)


@pytest.mark.parametrize("device", FOUNDRY)
def test_mismatch_acts_on_the_transistor_inside(ihp, device):
    user = as_netlist(f"x d g 0 0 {device} w=1u l=1u")
    [found] = find_devices(prune(ihp.library("tt"), user) + user, ihp.corner("tt"), list(ihp.process))
    target = f"@n.x.xm.nsg13_lv_{device[0]}mos"
    altered = found.altered({"dvth": 0.01, "dmu": 0.02})
    assert altered == pytest.approx({f"{target}[delvto]": 0.01, f"{target}[factuo]": 1.02})


@pytest.mark.parametrize(("device", "delvto", "factuo"), [("n_svt", 3.9e-3, 5e-3), ("p_svt", 2.2e-3, 3.3e-3)])
def test_sigmas_are_those_of_the_foundrys_file(ihp, device, delvto, factuo):
    """sg13g2_moslv_mismatch.lib: constants divided by the root of the area in um^2."""
    user = as_netlist(f"x d g 0 0 {device} w=0.5u l=2u")
    devices = find_devices(prune(ihp.library("tt"), user) + user, ihp.corner("tt"), list(ihp.process))
    sigma = {variable.name: variable.sigma for variable in variables(devices, ihp, "mismatch")}
    assert sigma == pytest.approx({"x.dvth": delvto, "x.dmu": factuo}, rel=1e-6)


@pytest.mark.parametrize("device", FOUNDRY)
@pytest.mark.slow
def test_mismatch_is_that_of_the_foundrys_own_draws(ihp, tmp_path, newer_ngspice, newer_pool, device):
    """Spread of the current of 300 devices that ngspice draws near the threshold, which delvto dominates there."""
    n, size = 300, "w=1u l=0.5u"
    drawn = by_hand(tmp_path, ihp, newer_ngspice, "mos_tt_mismatch", [(FOUNDRY[device], size)] * n, 0.4)
    assert drawn.size == n
    sigma = (3.9e-3 if device[0] == "n" else 2.2e-3) / np.sqrt(0.5)
    high, low = currents(ihp, [(device, f"{size} dvth={x}") for x in (-sigma, sigma)], newer_pool, volts=0.4)
    bounds = stats.chi2.ppf([0.0005, 0.9995], n - 1) / (n - 1)
    assert bounds[0] < np.var(np.log(drawn), ddof=1) / (np.log(high / low) / 2) ** 2 < bounds[1]


def test_the_spread_of_the_capacitor_is_that_of_its_area(ihp):
    """capacitors_mod_mismatch.lib: 10 % divided by the root of the area in um^2, of 1.5 fF each."""
    user = as_netlist("x a 0 cap c=150f")
    devices = find_devices(prune(ihp.library("tt"), user) + user, ihp.corner("tt"), list(ihp.process))
    [variable] = variables(devices, ihp, "mismatch")
    assert variable.sigma == pytest.approx(0.1 / np.sqrt(100), rel=1e-3)
