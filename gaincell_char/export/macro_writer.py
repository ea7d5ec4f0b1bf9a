"""The macro-model of a record: the circuit's own text with the traced formulas in it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import sympy
from sympy.codegen.cfunctions import log1p

from .. import registry
from ..declare.macro_model import Macro, MacroText
from ..errors import ExportError
from .target import Request
from .trace import Expression, plain, symbol

_QUANTITY = re.compile(r"<(\w+)>")
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class MacroParts:
    """What a macro-model is written from.

    Attributes
    ----------
    ports : tuple of str
        Those of the transistor netlist, in its order.
    values : mapping of str to float
        Every parameter of the text and every coefficient.
    formulas : mapping of str to sympy expression
        Quantity -> formula.
    helpers : mapping of str to sympy expression
        Node -> formula that others share, by `sharing`.
    """

    name: str
    ports: tuple[str, ...]
    macro: Macro
    values: Mapping[str, float]
    formulas: Mapping[str, Expression]
    helpers: Mapping[str, Expression] = field(default_factory=dict)


def refuses(request: Request) -> str:
    """Why a model has no macro-model."""
    fit, model = request.chosen()
    if _macro(request) is None:
        have = ", ".join(name for macro in request.circuit.macros for name in macro.models) or "no model"
        return (
            f"{fit.output} of {', '.join(model.inputs)} says nothing of currents and voltages at the ports of "
            f"{request.circuit.name}, so all of it would be lost; a macro-model can be made of {have}"
        )
    return ""


def _macro(request: Request) -> Macro | None:
    name = request.chosen()[1].name
    return next((macro for macro in request.circuit.macros if name in macro.models), None)


def parts(request: Request) -> MacroParts:
    """Trace the model and read ports and parameters.

    Raises
    ------
    ExportError
        If the record lacks a parameter that the text needs.
    """
    fit, model = request.chosen()
    macro = _macro(request)
    if macro is None:
        raise ExportError(refuses(request))
    given = request.record.parameters
    if missing := [name for name in macro.parameters if isinstance(given.get(name, ""), str)]:
        raise ExportError(f"the record does not say {', '.join(missing)}, which the macro-model needs")
    values = {**{name: float(given[name]) for name in macro.parameters}, **fit.values()}
    function = partial(model.function, **{name: symbol(name) for name in model.coefficients})
    inputs = [symbol(name) for name in macro.spice.signals]
    formulas = {name: plain(quantity(function, *inputs)) for name, quantity in macro.quantities.items()}
    return MacroParts(
        name=request.circuit.name, ports=_ports(request.circuit.name), macro=macro, values=values, formulas=formulas
    )


def _ports(circuit: str) -> tuple[str, ...]:
    """Ports of the transistor netlist."""
    block = registry.load_netlist(circuit).subcircuits.get(circuit)
    if block is None:
        raise ExportError(f"the netlist of {circuit} defines no subcircuit {circuit}")
    return block.ports


def sharing(made: MacroParts) -> MacroParts:
    """Give what stands in a formula more than once a node of its own, if it is a pure number of about 1.

    Sums with a logarithm are; a current as the voltage of a node would be below the simulator's tolerance.
    """
    whole = sympy.Tuple(*made.formulas.values())
    sums = {part for part in sympy.preorder_traversal(whole) if part.is_Add and any(map(_is_log1p, part.args))}
    names = {part: f"pure_{number}" for number, part in enumerate(sorted(sums, key=str))}
    nodes = {part: symbol(name).expression for part, name in names.items()}
    formulas = {name: formula.xreplace(nodes) for name, formula in made.formulas.items()}
    return replace(made, formulas=formulas, helpers={name: part for part, name in names.items()})


def _is_log1p(expression: Expression) -> bool:
    return isinstance(expression, log1p)


def names(made: MacroParts, text: MacroText, parameter: str) -> Callable[[str], str]:
    """How the text refers to signals, helpers and parameters."""

    def named(name: str) -> str:
        if name in made.helpers:
            return f"v({name})"
        return text.signals[name] if name in text.signals else parameter.format(name)

    return named


def fill(
    made: MacroParts, text: MacroText, write: Callable[[Expression, Callable[[str], str]], str], parameter: str
) -> list[str]:
    """Lines of the text with formulas and parameters in it; ``parameter`` is how one is written, as ``p_{}``."""
    named = names(made, text, parameter)
    written = _PARAMETER.sub(lambda match: parameter.format(match[1]), text.text)
    lines = filter(None, written.splitlines())
    return [_QUANTITY.sub(lambda match: write(made.formulas[match[1]], named), line) for line in lines]
