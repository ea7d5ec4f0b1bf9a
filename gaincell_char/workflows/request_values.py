"""Axes and fixed parameters of Python functions: numbers in SI units, words, or texts as on the command line."""

from collections.abc import Mapping, Sequence

from .. import registry
from ..declare.bench import Floats, Grid
from ..declare.parameters import Value, Values
from ..errors import ParameterError
from ..sweeping.arguments import check_mapping, check_values
from ..sweeping.axes import CONDITIONS, parse_axis

AxisValues = Mapping[str, Sequence[float] | Sequence[str] | Floats | str]
"""Name -> values of an axis in SI units, shape (points,), or a text such as ``"0:900mV:10"`` or ``"1n,10n"``."""


def read_axes(circuit: str, bench: str, axes: AxisValues | None) -> dict[str, Grid]:
    """Check the axes of a bench, and parse those that are texts.

    Parameters
    ----------
    circuit, bench : str
        Names of the circuit and of the bench.
    axes : mapping of str to sequence or str, optional
        Name -> values in SI units, shape (points,), or a text.

    Raises
    ------
    ParameterError
        If a name is unknown, or a text cannot be parsed or has another unit.
    """
    owner = registry.load_circuit(circuit)
    chosen = owner.bench(bench)
    found: dict[str, Grid] = {}
    for name, values in check_mapping("axes", axes).items():
        if name in CONDITIONS:
            raise ParameterError(f"axes: {name} is not an axis; write {name}s=[...]")
        found[name] = values
        if isinstance(values, str):
            found[name] = parse_axis(f"{name}={values}", owner.params | chosen.params, chosen.curve)[1]
    return found


def read_fixed(circuit: str, bench: str, fixed: Values | None) -> dict[str, Value]:
    """Check the values of parameters that are not swept, and convert them to SI units.

    Parameters
    ----------
    circuit, bench : str
        Names of the circuit and of the bench.
    fixed : mapping of str to float or str, optional
        Name -> value in SI units, or a text with a unit.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value has the wrong type or is out of range.
    """
    owner = registry.load_circuit(circuit)
    return (owner.params | owner.bench(bench).params).check(check_values("fixed", fixed))
