"""Simulator options that a user, a technology or a netlist may set."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..declare.parameters import Choice, Number, Params
from ..errors import ParameterError

TOLERANCES = ("reltol", "abstol", "vntol", "chgtol")
"""Options that set the numerical accuracy of ngspice."""
_WHOLE = frozenset(("gminsteps", "srcsteps", "itl1", "itl2", "itl4", "maxord"))

# Defaults of ngspice (manual, chapter "Simulator variables"); ranges exclude implausible values.
OPTIONS = Params(
    reltol=Number(default=1e-3, unit="", doc="relative tolerance", low=1e-14, high=0.1),
    abstol=Number(default=1e-12, unit="A", doc="smallest current that counts", low=1e-30, high=1e-3),
    vntol=Number(default=1e-6, unit="V", doc="smallest voltage that counts", low=1e-18, high=0.1),
    chgtol=Number(default=1e-14, unit="C", doc="smallest charge that counts", low=1e-30, high=1e-6),
    trtol=Number(default=7.0, unit="", doc="factor on the estimated truncation error", low=0.01, high=100.0),
    gmin=Number(default=1e-12, unit="S", doc="conductance across every junction", low=1e-30, high=1e-3),
    gminsteps=Number(default=1.0, unit="", doc="steps of gmin stepping", low=0.0, high=1000.0),
    srcsteps=Number(default=1.0, unit="", doc="steps of source stepping", low=0.0, high=1000.0),
    itl1=Number(default=100.0, unit="", doc="iterations of an operating point", low=1.0, high=100_000.0),
    itl2=Number(default=50.0, unit="", doc="iterations of a point of a sweep", low=1.0, high=100_000.0),
    itl4=Number(default=10.0, unit="", doc="iterations of a time step", low=1.0, high=100_000.0),
    pivtol=Number(default=1e-13, unit="", doc="smallest pivot", low=1e-40, high=1e-3),
    pivrel=Number(default=1e-3, unit="", doc="smallest pivot, relative to its column", low=1e-12, high=1.0),
    maxord=Number(default=2.0, unit="", doc="order of the trapezoidal rule", low=1.0, high=2.0),
    xmu=Number(default=0.5, unit="", doc="weight of the trapezoidal rule", low=0.0, high=0.5),
    rshunt=Number(default=1e12, unit="ohm", doc="resistance from every node to ground", low=1.0, high=1e30),
    cshunt=Number(default=1e-18, unit="F", doc="capacitance from every node to ground", low=1e-30, high=1.0),
    rseries=Number(default=1e-3, unit="ohm", doc="resistance in series with every inductor", low=1e-12, high=1e9),
    minbreak=Number(default=1e-15, unit="s", doc="smallest time between breakpoints", low=1e-30, high=1.0),
)

_FLAGS = frozenset(("noopiter", "parser"))
# Options that only a netlist may set.  Options that could name files are not in the list.
_MORE_OPTIONS = Params(
    bypass=Number(default=0.0, unit="", doc="whether devices that hardly change are skipped", low=0.0, high=1.0),
    defad=Number(default=0.0, unit="", doc="drain area [m2]", low=0.0, high=1.0),
    defas=Number(default=0.0, unit="", doc="source area [m2]", low=0.0, high=1.0),
    defl=Number(default=1e-4, unit="m", doc="channel length", low=0.0, high=1.0),
    defw=Number(default=1e-4, unit="m", doc="channel width", low=0.0, high=1.0),
    itl3=Number(default=4.0, unit="", doc="without effect in ngspice", low=0.0, high=1e6),
    itl5=Number(default=5000.0, unit="", doc="without effect in ngspice", low=0.0, high=1e9),
    itl6=Number(default=1.0, unit="", doc="steps of source stepping", low=0.0, high=1000.0),
    method=Choice(default="trap", options=("trap", "trapezoidal", "gear"), doc="integration method"),
    scale=Number(default=1.0, unit="", doc="factor on the sizes of transistors", low=1e-12, high=1e3),
    tnom=Number(default=27.0, unit="degC", doc="temperature of the models", low=-273.15, high=1000.0),
)


def check_options(options: Mapping[str, Any]) -> dict[str, float]:
    """Return simulator options, checked.

    Raises
    ------
    ParameterError
        If a name is unknown, a value is out of range, or the value of a count is not a whole number.
    """
    if unknown := [name for name in options if name not in OPTIONS]:
        raise ParameterError(f"no option {unknown[0]!r}; have {', '.join(OPTIONS)}")
    checked = {name: float(OPTIONS[name].check(f"option {name}", value)) for name, value in options.items()}
    for name in _WHOLE & checked.keys():
        if not checked[name].is_integer():
            raise ParameterError(f"option {name} = {checked[name]:g} ({OPTIONS[name].doc}) is not a whole number")
    return checked


def check_netlist_options(options: Sequence[tuple[str, str]]) -> None:
    """Check the options of a netlist, or raise `ParameterError` if one is unknown, has no value or is out of range."""
    known = {*OPTIONS, *_MORE_OPTIONS, *_FLAGS}
    for name, text in options:
        if name not in known:
            raise ParameterError(f"no option {name!r}; a netlist may set {', '.join(sorted(known))}")
        if name not in _FLAGS and not text:
            raise ParameterError(f"option {name} has no value; write {name}=value")
        if name in _MORE_OPTIONS:
            _MORE_OPTIONS[name].parse(f"option {name}", text)
        elif name in OPTIONS:
            check_options({name: float(OPTIONS[name].parse(f"option {name}", text))})
