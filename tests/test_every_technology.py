"""What every folder in netlists/tech/ must pass.  A new technology is covered at once."""

import os
import re
from functools import cache
from pathlib import Path

import pytest

from gaincell_char import registry
from gaincell_char.errors import ParameterError, TechnologyError
from gaincell_char.technology.schema import parse_technology
from gaincell_char.technology.toml_tables import Mismatch, Range
from gaincell_char.workflows import technology_bench, technology_checks

pytestmark = pytest.mark.ngspice
ALL = os.environ.get("GAINCELL_TESTS") == "all"


*PLAIN, SAMPLED = technology_checks.CHECKS


@cache
def checks(name):
    technology = registry.load_technology(name)
    if not ALL and registry.technology_models(name):  # a foundry's library takes seconds per corner
        few = {corner: technology.corners[corner] for corner in ("tt", "ff", "ss")}
        technology = technology.model_copy(update={"corners": few})
    return {check.name: check for check in technology_checks.check_technology(technology, PLAIN)}


@pytest.mark.xdist_group("checks")  # one worker runs all of them once
@pytest.mark.parametrize("check", PLAIN)
@pytest.mark.slow
def test_every_check_passes(technology, check):
    found = checks(technology.name)[check]
    assert found.passed, found.failures


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name != registry.DEFAULT_TECHNOLOGY else [])
        for name in registry.technology_names()
    ],
)
@pytest.mark.slow
def test_a_sample_of_every_campaign_can_be_simulated(load_technology, name):
    """The last check: six seconds, with a foundry's models half a minute."""
    [check] = technology_checks.check_technology(load_technology(name), [SAMPLED])
    assert check.passed, check.failures


DVTH_P, DMU_P = ("-(process_vth_p+dvth)", "-process_vth_p"), ("(1+process_mu_p)*(1+dmu)", "1+process_mu_p")
CAP, RVT = "{c*(1+process_c)*(1+dcap)}", "m1 d g s b p28rvt"
BROKEN = {
    "and a capacitor": (
        [(".subckt cap p n", ".subckt capacitor p n")],
        r"cap is missing at tt, ff, ss, sf, fs: add \.subckt cap",
    ),
    "simulated at every corner": ([("n28hvt w={w}", "n28none w={w}")], "can't find model 'n28none'"),
    "increases with gate": ([(RVT, "m1 d d s b p28rvt")], "p_rvt has a current that decreases with vgs"),
    "every device switches": ([(RVT, f"r1 d s 1meg\n{RVT}")], "p_rvt has an on/off current ratio below 1000"),
    "dvth shifts the threshold voltage": (
        [DVTH_P, ("(process_vth_n+dvth)", "(process_vth_n-dvth)")],
        "n_lvt has more current",
    ),
    "dmu is a relative change": ([("*(1+dmu)}", "*(1+3*dmu)}")], "n_lvt does not respond to dmu = 0.05"),
    "changes its own device": ([DVTH_P, DMU_P], "p_lvt does not change with its own mismatch"),
    "every process parameter": ([(CAP, "{c}")], "three sigma of process_c have no effect"),
    "charge of the capacitor": (
        [(CAP, "{2*c*(1+process_c)*(1+dcap)}")],
        r"cap of 2 fF has a charge of 3\.999\S+ C at 1 V",
    ),
    "both limits of temp": ([(RVT, f"r1 d s 1meg\n{RVT}")], "p_rvt has no larger leakage at high temperature"),
}


def broken(check, **changed):
    """What is found about one check, if a technology is changed."""
    [own] = [text for text in technology_checks.CHECKS if check in text]
    [found] = technology_checks.check_technology(registry.load_technology().model_copy(update=changed), [own])
    assert not found.passed
    return "; ".join(found.failures)


@pytest.mark.parametrize("check", BROKEN)
def test_a_failed_check_is_found(check):
    edits, says = BROKEN[check]
    text = registry.load_technology().text
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    found = broken(check, text=text)
    assert re.search(says, found), found


def test_a_device_that_is_missing_is_told_once_and_the_others_are_checked():
    ours = registry.load_technology()
    lacking = ours.model_copy(update={"text": ours.text.replace(".subckt p_hvt d", ".subckt nobody d")})
    found = list(technology_checks.check_technology(lacking, PLAIN))
    said = [(check.name, reason) for check in found for reason in check.failures]
    complete, planned = technology_checks.CHECKS[0], PLAIN[-1]
    assert {name for name, _ in said} <= {complete, planned}, said
    assert (
        complete,
        "p_hvt is missing at tt, ff, ss, sf, fs: add .subckt p_hvt d g s b to one of the files of technology.toml, or "
        "remove hvt from its flavours",
    ) in said


def test_one_reason_for_several_checks_is_told_once():
    text = registry.load_technology().text.replace("n28hvt w={w}", "n28none w={w}")
    technology = registry.load_technology().model_copy(update={"text": text})
    names = technology_checks.CHECKS[1:4]
    first, *others = technology_checks.check_technology(technology, names)
    assert "n28none" in first.failures[0]
    assert [check.failures for check in others] == [(f"not possible, for the reason of the check {names[0]!r}",)] * 2


N_RVT = ".subckt n_rvt d g s b w=100n l=30n dvth=0 dmu=0"
DEAD_HOOKS = {
    "a source": (
        [(N_RVT, f"{N_RVT}\nbx d s i={{1e-6*dvth}}")],
        r"n_rvt: subcircuit n_rvt: Monte Carlo cannot vary \{1e-6\*dvth\} of bx, which depends on dvth: it changes",
    ),
    "no parameter": (
        [(N_RVT, ".subckt n_rvt d g s b w=100n l=30n dmu=0\n.param dvth=0")],
        r"n_rvt has no parameter dvth: add dvth=0 to its \.subckt line .*, or set a_vt = 0 in \[mismatch\]",
    ),
    "no capacitor": (
        [("cap p n c=1f dcap=0", "cap p n c=1f"), ("*(1+dcap)", "")],
        r"cap has no parameter dcap: add dcap=0 .* or set a_c = 0 in \[mismatch\] of technology\.toml",
    ),
}


@pytest.mark.parametrize("case", DEAD_HOOKS)
def test_a_deviation_that_monte_carlo_cannot_apply_is_found(case):
    edits, says = DEAD_HOOKS[case]
    text = registry.load_technology().text
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    found = broken("Monte Carlo changes a device", text=text)
    assert re.fullmatch(says + ".*", found), found


def test_a_deviation_that_the_simulator_ignores_is_found(monkeypatch):
    """As alter of a source was: the command is accepted, and nothing changes."""
    plain = technology_bench.DeviceBench.simulate

    def simulate(*arguments, **more):
        return plain(*arguments, **{**more, "alters": None})

    monkeypatch.setattr(technology_bench.DeviceBench, "simulate", simulate)
    found = broken("Monte Carlo changes a device", flavours=("svt",), mismatch=Mismatch(a_vt=1e-9, a_beta=1e-9))
    assert re.search(r"n_svt: dvth = 0.01 changes the current by 0 % in Monte Carlo, and by -\S+ % in a netlist", found)


SIMPLE = """.subckt {kind}_svt d g s b w=420n l={length} dvth=0 dmu=0
.model {kind}m {kind}mos {card} vto={sign}{vto}
ith 0 th 1
rth th 0 {{1+process_vth_{kind}+dvth}}
bg g gi v={sign}(v(th)-1)
m1 d gi s b {kind}m w={{w*(1+dmu)}} l={{l}}
.ends
"""
CARDS = {  # card, threshold [V], supply [V], channel length, temperatures
    "constant in saturation": ("level=1 kp=250u", 0.35, 1.2, "180n", (-40, 125)),
    "a threshold near the supply": ("level=1 kp=250u", 0.7, 0.9, "180n", (-40, 125)),
    "5 V": ("level=1 kp=50u lambda=0.02 gamma=0.4 phi=0.6", 0.8, 5.0, "1u", (-65, 200)),
    "series resistance": ("level=1 kp=250u rs=100 rd=100", 0.35, 1.2, "180n", (-40, 125)),
    "level 3": ("level=3 kp=200u theta=0.1 vmax=1e5 tox=4n nfs=1e11", 0.5, 1.8, "180n", (-40, 125)),
}
WEAKER = {"tt": 0.0, "ff": -0.006, "ss": 0.006}


def simple(card, vto, supply, length, temps):
    """What makes gc28 a technology of one flavour with a simple card, with a small spread."""
    kinds = (("n", ""), ("p", "-"))
    blocks = [SIMPLE.format(kind=kind, card=card, vto=vto, sign=sign, length=length) for kind, sign in kinds]
    process = ("process_vth_n", "process_vth_p")
    return {
        "text": "\n".join([*blocks, ".subckt cap p n c=1f\nc1 p n {c}\n.ends"]),
        "flavours": ("svt",),
        "supply": supply,
        "temp": Range(low=temps[0], high=temps[1]),
        "process": dict.fromkeys(process, 0.002),
        "corners": {name: dict.fromkeys(process, value) for name, value in WEAKER.items()},
        "correlations": {},
        "mismatch": Mismatch(a_vt=4e-9, a_beta=1e-8),
    }


@pytest.mark.parametrize("case", CARDS)
def test_a_simple_card_is_not_accused(case):
    technology = registry.load_technology().model_copy(update=simple(*CARDS[case]))
    found = technology_checks.check_technology(technology, technology_checks.CHECKS[:13])
    assert not [check for check in found if not check.passed]


def test_a_device_without_current_at_the_supply_is_told_with_the_entry_to_change():
    found = broken("every device switches", **simple("level=1 kp=250u", 0.95, 0.9, "180n", (-40, 125)))
    told = "{}_svt does not conduct at a gate voltage of 0.828 V: make supply = 0.9 in technology.toml larger, or the"
    assert all(told.format(kind) in found for kind in "np"), found
    assert "ratio" not in found


def test_corners_and_sizes_that_are_wrong_are_found():
    corners = registry.load_technology().corners
    found = broken("drive currents are ordered", corners={**corners, "ff": corners["ss"], "ss": corners["ff"]})
    assert re.search(r"n_lvt drives \S+ A at ff, \S+ A at tt", found)
    found = broken("sizes for a circuit", circuits={"gain_cell": {"w_x": 1.0}, "relu_c2p": {"c_az": 1.0}})
    assert "[circuits.gain_cell] sets w_x, which is not a parameter of gain_cell; c_az = 1 F" in found


def test_a_device_that_is_declared_absent_has_to_conduct_nothing():
    found = broken("declared absent", absent=("p_hvt",))
    assert re.fullmatch(r"p_hvt is declared absent, but conducts \S+ A", found)


def _range(technology):
    return technology.temp.low, technology.temp.high


def test_temperatures_outside_are_refused(technology):
    for temp in (technology.temp.low - 1, technology.temp.high + 1, float("nan")):
        with pytest.raises(
            ParameterError, match=rf"temp = \S+ degC is outside .* range of technology {technology.name}"
        ):
            technology.check_temp(temp)
    assert [technology.check_temp(t) for t in _range(technology)] == list(_range(technology))


def test_unknown_corner_is_refused_with_the_known_ones(technology):
    with pytest.raises(ParameterError, match=f"no corner 'xx'; have {', '.join(technology.corners)}"):
        technology.corner("xx")


def test_a_corner_that_sets_an_unknown_process_parameter_is_refused(technology):
    folder = Path(str(registry.files("gaincell_char.netlists"))) / "tech" / technology.name
    toml = (folder / "technology.toml").read_text(encoding="utf-8")
    with pytest.raises(TechnologyError, match=r"made up: corner xx sets process_none; \[process\] has process_"):
        parse_technology(f"{toml}\n[corners.xx]\nprocess_none = 1.0\n", lambda _: "", "made up")


def test_process_parameters_are_not_for_users_to_set(technology):
    circuit = registry.load_circuit(registry.circuit_names()[0])
    for name in technology.process:
        with pytest.raises(ParameterError, match=f"no parameter '{name}'"):
            registry.plan_bench(circuit.name, circuit.benches[0].name, technology=technology.name, set_={name: 0.0})
