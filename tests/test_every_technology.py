"""What every folder in netlists/tech/ promises about its wrapper devices.  A new technology is covered at once."""

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gaincell_char import netlist, registry
from gaincell_char.circuit import Op, Tran
from gaincell_char.errors import ParameterError, TechnologyError
from gaincell_char.run import simulate
from gaincell_char.technology import parse_technology

pytestmark = pytest.mark.ngspice
# Long and wide enough for any process, 130 nm included.
W, L = 1e-6, 200e-9
VGS, VDS = tuple(np.linspace(0, 0.9, 7).tolist()), tuple(np.linspace(0.1, 0.9, 5).tolist())
OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
DVTH, DMU = 20e-3, 0.05


def devices(technology):
    return [f"{kind}_{flavour}" for flavour in technology.flavours for kind in "np"]


def run(technology, lines, save, *, corner="tt", analysis=None, process=None, **request):
    """Simulate a few lines together with those blocks of the technology that they need."""
    user = "\n".join(lines)
    return simulate(
        f"{netlist.prune(technology.text, user)}\n{user}", analysis or Op(), save, options=OPTIONS,
        params=technology.corner(corner) if process is None else process, **request,
    )  # fmt: skip


def instance(number, device, vgs, vds, extra=""):
    """A transistor with its source at ground and sources of its own, signs turned for a p device."""
    sign = 1 if device.startswith("n_") else -1
    return [
        f"vg{number} g{number} 0 {sign * vgs!r}",
        f"vd{number} d{number} 0 {sign * vds!r}",
        f"x{number} d{number} g{number} 0 0 {device} w={W!r} l={L!r} {extra}",
    ]


@cache
def currents(name, corner="tt", temp=27.0, extras=("",), vgs=VGS, vds=VDS):
    """Size of the drain current, dimensions: device, extra, vgs, vds."""
    technology = registry.load_technology(name)
    cases = list(itertools.product(devices(technology), extras, vgs, vds))
    lines = [line for number, case in enumerate(cases) for line in instance(number, case[0], *case[2:], case[1])]
    vectors = run(technology, lines, [f"i(vd{n})" for n in range(len(cases))], corner=corner, temp=temp)
    shape = (len(devices(technology)), len(extras), len(vgs), len(vds))
    signs = [-1 if case[0].startswith("n_") else 1 for case in cases]
    return np.array([s * vectors[f"i(vd{n})"][0] for n, s in enumerate(signs)]).reshape(shape)


def test_every_flavour_has_both_wrapper_devices_and_a_capacitor(technology):
    blocks = [line.split()[1] for line in technology.text.lower().splitlines() if line.startswith(".subckt")]
    assert {*devices(technology), "cap"} <= set(blocks)
    assert technology.digest
    assert technology.title


def test_current_grows_with_gate_and_drain_voltage(technology):
    found = currents(technology.name)
    assert np.isfinite(found).all()
    for device, i_d in zip(devices(technology), found[:, 0], strict=True):
        # Below threshold and at a high drain, tunnelling and drain-induced leakage may bend it.
        assert (np.diff(i_d[1:], axis=0) > 0).all(), f"{device} over vgs"
        assert (np.diff(i_d, axis=1) > 0).all(), f"{device} over vds"
        assert i_d[-1, -1] > 1e3 * i_d[0, -1], f"{device} does not switch"


def test_mismatch_has_the_sign_its_name_says(technology):
    extras = ("", f"dvth={DVTH}", f"dmu={DMU}")
    nominal, vth, mu = np.moveaxis(currents(technology.name, extras=extras, vgs=VGS[2:]), 1, 0)
    assert (vth < nominal).all(), "a larger threshold conducts less"
    assert (mu > nominal).all(), "a larger mobility conducts more"


def test_threshold_mismatch_is_a_shift_of_the_gate(technology):
    """+dvth is undone by the same voltage more at the gate: it is a threshold, in volts, with that sign."""
    shifted = currents(technology.name, extras=(f"dvth={DVTH}",), vgs=(0.25 + DVTH,), vds=(0.05,))
    plain = currents(technology.name, vgs=(0.25, 0.25 + DVTH), vds=(0.05,))
    moved = np.abs(plain[:, 0, 1] - plain[:, 0, 0])
    assert (np.abs(shifted[:, 0, 0] - plain[:, 0, 0]) < 0.1 * moved).all()


def test_mobility_mismatch_scales_a_long_channel(technology):
    nominal, mu = np.moveaxis(currents(technology.name, extras=("", f"dmu={DMU}"), vgs=(0.8,), vds=(0.05,)), 1, 0)
    assert ((mu / nominal - 1 > 0.5 * DMU) & (mu / nominal - 1 < 1.05 * DMU)).all()


def test_mismatch_of_one_instance_moves_no_other(technology):
    every = [device for device in devices(technology) for _ in range(3)]
    second = ["dvth={dvth_a} dmu=0.1" * (number % 3 == 1) for number in range(len(every))]
    plain, mixed = (
        [line for n, device in enumerate(every) for line in instance(n, device, 0.8, 0.8, extra[n])]
        for extra in ([""] * len(every), second)
    )
    save = [f"i(vd{n})" for n in range(len(every))]
    before, after = (
        run(technology, lines, save, process={**technology.corner("tt"), "dvth_a": 30e-3}) for lines in (plain, mixed)
    )
    moved = np.array([abs(after[name][0] / before[name][0] - 1) for name in save]).reshape(-1, 3)
    assert (moved[:, [0, 2]] < 1e-9).all()
    assert (moved[:, 1] > 1e-3).all()


def test_corners_order_the_drive_of_both_kinds(technology):
    found = {c: currents(technology.name, c, vgs=(0.9,), vds=(0.9,))[:, 0, 0, 0] for c in technology.corners}
    n, p = ({corner: drive[which::2] for corner, drive in found.items()} for which in (0, 1))
    for drives in (n, p):
        assert (drives["ff"] > 1.02 * drives["tt"]).all()
        assert (drives["tt"] > 1.02 * drives["ss"]).all()
    assert (n["sf"] < 0.98 * n["tt"]).all()
    assert (p["sf"] > 1.02 * p["tt"]).all()
    assert (n["fs"] > 1.02 * n["tt"]).all()
    assert (p["fs"] < 0.98 * p["tt"]).all()


def test_every_process_parameter_reaches_a_device(technology):
    """Three sigma of one parameter alone moves a drain current or that of the capacitor."""
    nominal = technology.corner("tt")
    lines = [line for n, device in enumerate(devices(technology)) for line in instance(n, device, 0.8, 0.8)]
    lines += ["vq q 0 pulse(0 1 0 1u 1u 1u 9u)", "xq q 0 cap c=1p"]
    save = [*(f"i(vd{n})" for n in range(len(devices(technology)))), "i(vq)"]
    tran = Tran(stop=0.5e-6, max_step=50e-9)

    def final(process):
        vectors = run(technology, lines, save, analysis=tran, process=process)
        return np.array([vectors[name][-1] for name in save])

    reference = final(nominal)
    for name, sigma in technology.process.items():
        moved = np.abs(final({**nominal, name: 3 * sigma}) / reference - 1)
        assert moved.max() > 5e-3, f"{name} changes nothing"


def test_capacitor_holds_the_charge_it_is_given(technology):
    lines = ["vq q 0 pulse(0 1 10n 100n 100n 1u 1)", "xq q 0 cap c=2f"]
    vectors = run(technology, lines, ["v(q)", "i(vq)"], analysis=Tran(stop=200e-9, max_step=1e-9))
    charge = np.trapezoid(-vectors["i(vq)"], vectors["time"])
    assert charge == pytest.approx(2e-15, rel=1e-3, abs=0)


def test_devices_hold_over_the_declared_temperatures(technology):
    """Both ends simulate; leakage grows by orders of magnitude, the drive stays within a factor of two."""
    low, high = (currents(technology.name, temp=t, vgs=(0.0, 0.9), vds=(0.9,)) for t in _range(technology))
    assert np.isfinite([low, high]).all()
    # Tunnelling hides the subthreshold current of the highest threshold when cold.
    assert (high[:, 0, 0] > 10 * low[:, 0, 0]).all()
    assert ((high[:, 0, 1] < 2 * low[:, 0, 1]) & (high[:, 0, 1] > 0.5 * low[:, 0, 1])).all()


def _range(technology):
    return technology.temp.low, technology.temp.high


def test_temperatures_outside_are_refused(technology):
    for temp in (technology.temp.low - 1, technology.temp.high + 1, float("nan")):
        with pytest.raises(ParameterError, match=rf"temp = \S+ degC is outside .* technology {technology.name} holds"):
            technology.check_temp(temp)
    assert [technology.check_temp(t) for t in _range(technology)] == list(_range(technology))


def test_unknown_corner_is_refused_with_the_known_ones(technology):
    with pytest.raises(ParameterError, match=f"no corner 'xx'; have {', '.join(technology.corners)}"):
        technology.corner("xx")


def test_a_process_parameter_that_nobody_gives_is_refused(technology):
    values = technology.corner("tt")
    name = next(iter(values))
    del values[name]
    device = devices(technology)[0]
    with pytest.raises(ParameterError, match=f"uses {name}, which params does not give"):
        run(technology, instance(0, device, 0.9, 0.9), ["i(vd0)"], process=values)


def test_a_corner_that_sets_an_unknown_process_parameter_is_refused(technology):
    folder = Path(str(registry.files("gaincell_char.netlists"))) / "tech" / technology.name
    toml = (folder / "technology.toml").read_text(encoding="utf-8")
    with pytest.raises(TechnologyError, match=r"made up: corner xx sets \['process_none'\]; \[process\] has"):
        parse_technology(f"{toml}\n[corners.xx]\nprocess_none = 1.0\n", lambda name: name, "made up")


def test_process_parameters_are_not_for_users_to_set(technology):
    circuit = registry.load_circuit(registry.circuit_names()[0])
    for name in technology.process:
        with pytest.raises(ParameterError, match=f"no parameter '{name}'"):
            registry.plan_bench(circuit.name, circuit.benches[0].name, technology=technology.name, set_={name: 0.0})


def test_sizes_it_gives_a_circuit_are_parameters_of_that_circuit(technology):
    for name, sizes in technology.circuits.items():
        registry.load_circuit(name).params.check(sizes)
