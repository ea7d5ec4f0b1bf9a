"""Macro-model of a record: the text declared by the circuit, with the traced formulas inserted."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import sympy
from sympy.codegen.cfunctions import log1p

from .. import registry
from ..declare.macro_model import Macro, MacroText
from ..errors import ExportError
from .printing import Refer
from .target import Request
from .trace import Expression, make_symbol, to_expression

_QUANTITY = re.compile(r"<(\w+)>")
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class MacroParts:
    """Data for a macro-model.

    Attributes
    ----------
    name : str
        Name of the circuit.
    ports : tuple of str
        Ports of the transistor netlist, in its order.
    macro : Macro
        Declaration of the macro-model.
    values : mapping of str to float
        Parameters of the text and coefficients, in SI units.
    formulas : mapping of str to sympy expression
        Quantity -> formula.
    helpers : mapping of str to sympy expression
        Helper node -> common subexpression, from `factor_out`.
    """

    name: str
    ports: tuple[str, ...]
    macro: Macro
    values: Mapping[str, float]
    formulas: Mapping[str, Expression]
    helpers: Mapping[str, Expression] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Language:
    """Notation of a macro-model in a language.

    Attributes
    ----------
    format : callable
        (formula, function from symbol to its reference) -> text.
    parameter : str
        Notation of a parameter, for example ``p_{}``.
    """

    format: Callable[[Expression, Refer], str]
    parameter: str


def explain_refusal(request: Request) -> str:
    """Reason why a model has no macro-model; empty if it has one."""
    fit, model = request.require_model()
    if _find_macro(request) is None:
        have = ", ".join(name for macro in request.circuit.macros for name in macro.models) or "no model"
        return (
            f"{fit.output} of {', '.join(model.inputs)} does not determine currents and voltages at the ports of "
            f"{request.circuit.name}, so the whole model would be lost; a macro-model exists for {have}"
        )
    return ""


def _find_macro(request: Request) -> Macro | None:
    _, model = request.require_model()
    return next((macro for macro in request.circuit.macros if model.name in macro.models), None)


def make_parts(request: Request) -> MacroParts:
    """Trace the model and read ports and parameters.

    Raises
    ------
    ExportError
        If the model has no macro-model, or the record lacks a parameter that the text needs.
    """
    fit, model = request.require_model()
    macro = _find_macro(request)
    if macro is None:
        raise ExportError(explain_refusal(request))
    quantities = macro.quantities or {model.output: _output}
    given = request.record.parameters
    if missing := [name for name in macro.parameters if isinstance(given.get(name, ""), str)]:
        raise ExportError(f"the record does not state {', '.join(missing)}, which the macro-model needs")
    function = partial(model, **{name: make_symbol(name) for name in model.coefficients})
    inputs = [make_symbol(name) for name in macro.spice.signals]
    return MacroParts(
        name=request.circuit.name,
        ports=_read_ports(request.circuit.name),
        macro=macro,
        values={**{name: float(given[name]) for name in macro.parameters}, **fit.values()},
        formulas={name: to_expression(quantity(function, *inputs)) for name, quantity in quantities.items()},
    )


def _output(function: Callable[..., Expression], *inputs: Expression) -> Expression:
    """The output of a model itself."""
    return function(*inputs)


def _read_ports(circuit: str) -> tuple[str, ...]:
    """Ports of the transistor netlist."""
    block = registry.load_netlist(circuit).subcircuits.get(circuit)
    if block is None:
        raise ExportError(f"the netlist of {circuit} defines no subcircuit {circuit}")
    return block.ports


def factor_out(parts: MacroParts) -> MacroParts:
    """Move common subexpressions of the order of 1 to helper nodes: sums with a logarithm.

    A current as the voltage of a node would be below the tolerance of the simulator.
    """
    whole = sympy.Tuple(*parts.formulas.values())
    sums = {term for term in sympy.preorder_traversal(whole) if term.is_Add and any(map(_is_log1p, term.args))}
    names = {term: f"pure_{number}" for number, term in enumerate(sorted(sums, key=str))}
    nodes = {term: make_symbol(name).expression for term, name in names.items()}
    formulas = {name: formula.xreplace(nodes) for name, formula in parts.formulas.items()}
    return replace(parts, formulas=formulas, helpers={name: term for term, name in names.items()})


def _is_log1p(expression: Expression) -> bool:
    return isinstance(expression, log1p)


def write_helpers(parts: MacroParts, text: MacroText, language: Language) -> dict[str, str]:
    """Helper node -> formula in a `language`, for `parts` from `factor_out`; `text` names the signals."""
    refer = _make_refer(parts, text, language)
    return {name: language.format(formula, refer) for name, formula in parts.helpers.items()}


def write_lines(parts: MacroParts, text: MacroText, language: Language) -> list[str]:
    """Lines of the declared `text` with the formulas and parameters of `parts`, in a `language`."""
    refer = _make_refer(parts, text, language)
    written = _PARAMETER.sub(lambda match: language.parameter.format(match[1]), text.text)
    lines = filter(None, written.splitlines())
    return [_QUANTITY.sub(lambda match: language.format(parts.formulas[match[1]], refer), line) for line in lines]


def _make_refer(parts: MacroParts, text: MacroText, language: Language) -> Refer:
    """Function from the name of a signal, helper or parameter to its reference in the text."""

    def refer(name: str) -> str:
        if name in parts.helpers:
            return f"v({name})"
        return text.signals[name] if name in text.signals else language.parameter.format(name)

    return refer
