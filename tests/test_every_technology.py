"""What every folder in netlists/tech/ must pass.  A new technology is covered at once."""

import os
import re
from functools import cache
from pathlib import Path

import pytest

from gaincell_char import registry
from gaincell_char.errors import ParameterError, TechnologyError
from gaincell_char.technology.schema import parse_technology
from gaincell_char.workflows import technology_checks

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
    "and a capacitor": ([(".subckt cap p n", ".subckt capacitor p n")], r"corner tt has no cap"),
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
