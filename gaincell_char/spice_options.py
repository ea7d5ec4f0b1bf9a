"""The simulator options that a user or a technology may set, each with its range."""

from collections.abc import Mapping

from .errors import ParameterError
from .params import Number, Params

TOLERANCES = ("reltol", "abstol", "vntol", "chgtol")
"""What decides how exactly ngspice solves."""
_WHOLE = frozenset(("gminsteps", "srcsteps", "itl1", "itl2", "itl4", "maxord"))

# Defaults are ngspice's (manual, chapter "Simulator variables"); ranges leave out what only a mistake would ask for.
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


def check_options(options: Mapping[str, float]) -> dict[str, float]:
    """Return simulator options, checked.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value out of range or not a whole number where it counts something.
    """
    if unknown := [name for name in options if name not in OPTIONS]:
        raise ParameterError(f"no option {unknown[0]!r}; have {', '.join(OPTIONS)}")
    checked = {name: float(OPTIONS[name].check(f"option {name}", value)) for name, value in options.items()}
    for name in _WHOLE & checked.keys():
        if not checked[name].is_integer():
            raise ParameterError(f"option {name} = {checked[name]:g} ({OPTIONS[name].doc}) is not a whole number")
    return checked
