"""Axes and held parameters as a verb takes them: numbers in SI units, words, or texts as on the command line."""

from collections.abc import Mapping, Sequence

from .. import registry
from ..declare.bench import Floats, Grid
from ..declare.parameters import Value, Values
from ..errors import ParameterError
from ..sweeping.arguments import check_mapping, check_values
from ..sweeping.axes import CONDITIONS, parse_axis

AxisValues = Mapping[str, Sequence[float] | Sequence[str] | Floats | str]
"""Name -> values of an axis in SI units, or a text such as ``"0:900mV:10"`` or ``"1n,10n"``."""


def read_axes(circuit: str, bench: str, axes: AxisValues | None) -> dict[str, Grid]:
    """Read the axes of a bench.

    Raises
    ------
    ParameterError
        If a name is unknown, or a text has another form or another unit.
    """
    owner = registry.load_circuit(circuit)
    chosen = owner.bench(bench)
    found: dict[str, Grid] = {}
    for name, values in check_mapping("axes", axes).items():
        if name in CONDITIONS:
            raise ParameterError(f"axes: {name} has an argument of its own; write {name}s=[...]")
        found[name] = values
        if isinstance(values, str):
            found[name] = parse_axis(f"{name}={values}", owner.params | chosen.params, chosen.curve)[1]
    return found


def read_fixed(circuit: str, bench: str, fixed: Values | None) -> dict[str, Value]:
    """Read the values of parameters that are held.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value of another kind or out of range.
    """
    owner = registry.load_circuit(circuit)
    return (owner.params | owner.bench(bench).params).check(check_values("fixed", fixed))
