"""The swept values of a request, and the values of everything that is not swept."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..declare.arithmetic import evaluate_number, references
from ..declare.bench import Bench, Curve
from ..declare.circuit import Circuit
from ..declare.parameters import Choice, Number, Params, Value, Values, numbers
from ..declare.sweep_values import Flavours, Floats, Grid, Rule, evaluate_grid
from ..errors import ParameterError, TechnologyError
from ..technology.schema import Technology
from .arguments import check_list, check_number
from .axes import distinct, limits, parse_axis


def lay_out_grid(
    circuit: Circuit,
    bench: Bench,
    technology: Technology,
    wanted: Mapping[str, Grid],
    held: Values,
    *,
    own_sweep: bool,
) -> dict[str, Any]:
    """Return the fields of a plan for swept quantities, and the values of all others.

    Parameters
    ----------
    circuit : Circuit
        Declaration of the circuit.
    bench : Bench
        One of its benches.
    technology : Technology
        Sizes and axes that replace those of the circuit.
    wanted : mapping of str to Grid
        Requested sweep, in SI units.
    held : mapping
        Requested values of parameters, in SI units.
    own_sweep : bool
        Whether the bench's own sweep is included.

    Raises
    ------
    ParameterError
        If a value has the wrong type or is out of range, or a sweep is empty or repeats a value.
    TechnologyError
        If a size or an axis of the technology is invalid.
    """
    params = circuit.params | bench.params
    given = params.check({**_sizes(circuit, bench, technology, params), **held})
    known = numbers(params.resolve(given))
    own = {**bench.sweep, **_axes(circuit, bench, technology, params)}
    curve = _curve(bench.curve, {**own, **wanted}, known)
    grids = _swept(bench, own, wanted, held, own_sweep=own_sweep)
    axes = {name: _values(name, params[name], grid, known, technology.flavours) for name, grid in grids.items()}
    return {"sweep": axes, "curve": curve, "given": given, "fixed": _constant(params, given, axes)}


def _swept(
    bench: Bench, own: Mapping[str, Grid], wanted: Mapping[str, Grid], held: Values, *, own_sweep: bool
) -> dict[str, Grid]:
    """Every swept parameter: those of the bench, in its order, then those of the request."""
    kept = [name for name in bench.sweep if own_sweep and name not in held]
    grids = {name: own[name] for name in kept} | dict(wanted)
    return {name: grid for name, grid in grids.items() if bench.curve is None or name != bench.curve.name}


def _sizes(circuit: Circuit, bench: Bench, technology: Technology, params: Params) -> Mapping[str, Value]:
    """Values of parameters that the technology sets, checked; a flavour that it lacks is the technology's to name."""
    sizes = technology.sizes(circuit.name, params)
    try:
        return params.check(sizes)
    except ParameterError as error:
        raise TechnologyError(
            f"technology {technology.name}, [circuits.{circuit.name}] in its technology.toml: {error} "
            f"(bench {bench.name})"
        ) from None


def _axes(circuit: Circuit, bench: Bench, technology: Technology, params: Params) -> dict[str, Grid]:
    """Axes of the bench that the technology replaces."""
    found: dict[str, Grid] = {}
    curve = bench.curve.name if bench.curve is not None else ""
    for name, spec in technology.axes.get(circuit.name, {}).items():
        if name in bench.sweep or name == curve:
            try:
                found[name] = _own_axis(name, parse_axis(f"{name}={spec}", params, bench.curve)[1], name == curve)
            except ParameterError as error:
                raise TechnologyError(
                    f"technology {technology.name}, [axes.{circuit.name}] in its technology.toml: {error}"
                ) from None
    return found


def _own_axis(name: str, values: Sequence[Value], is_curve: bool) -> tuple[Value, ...]:
    """Return the values of an axis of a technology, or raise `ParameterError` if a value repeats or a curve is one."""
    if is_curve and len(values) < 2:
        raise ParameterError(f"{name} has one value, but a curve needs at least two: write {name} = START:STOP:COUNT")
    return distinct(name, values)


def _curve(curve: Curve | None, wanted: Mapping[str, Grid], numbers: Mapping[str, float]) -> Floats:
    """Values of the bench's curve."""
    if curve is None:
        return np.empty(0)
    grid = wanted.get(curve.name, curve.values)
    return np.array(_values(curve.name, limits(curve), grid, numbers), dtype=float)


def _constant(params: Params, given: Values, axes: Mapping[str, Sequence[Value]]) -> dict[str, Value]:
    """Parameters that no axis moves: defaults may be tied to what is swept."""
    held = {name: value for name, value in given.items() if name not in axes}
    first = params.resolve({**held, **{name: values[0] for name, values in axes.items()}})
    moved = set(axes)
    for name, values in axes.items():
        other = params.resolve({**held, **{n: v[0] for n, v in axes.items()}, name: values[-1]})
        moved |= {n for n in first if other[n] != first[n]}
    return {name: value for name, value in first.items() if name not in moved}


def _values(
    name: str, parameter: Number | Choice, grid: Grid, numbers: Mapping[str, float], flavours: Sequence[str] = ()
) -> tuple[Value, ...]:
    """Return the values of an axis, checked; numbers may be given as SPICE expressions of the parameters."""
    if isinstance(grid, Flavours):
        given: Sequence[Any] = grid.of(flavours)
    else:
        given = evaluate_grid(grid, numbers) if isinstance(grid, Rule) else check_list(name, grid)
    return distinct(name, [_value(name, parameter, value, numbers) for value in given])


def _value(name: str, parameter: Number | Choice, value: object, numbers: Mapping[str, float]) -> Value:
    if isinstance(value, str):
        rule = isinstance(parameter, Number) and references(f"{{{value}}}") & numbers.keys()
        return parameter.check(name, evaluate_number(value, numbers, name) if rule else value)
    return parameter.check(name, check_number(name, value))
