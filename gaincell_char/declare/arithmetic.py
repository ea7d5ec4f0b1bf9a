"""Arithmetic expressions of SPICE netlists: ``{2*w+140n}``, ``{(1+a)*(1+b)}``."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from .. import units
from ..errors import NetlistError, ParameterError
from ..storage.untrusted import shown

_LONGEST = 10_000
_SHORT = 200
"""Characters of an expression that is worth remembering: those of declarations, which every point evaluates."""
_REFERENCE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"(?<!\w)([a-z_]\w*)( ?\()?", re.IGNORECASE)
_PROBE = re.compile(r"\b[vi] ?\([^()]*\)", re.IGNORECASE)
_SCALED = re.compile(r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*", re.IGNORECASE)
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "ln": np.log,
    "log": np.log,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "pow": np.power,
}


def references(text: str) -> frozenset[str]:
    """Names used inside ``{...}`` in SPICE text, without functions and numbers."""
    names: set[str] = set()
    for expression in _REFERENCE.findall(text):
        words = _NAME.findall(_SCALED.sub(" ", _PROBE.sub(" ", " ".join(expression.split()))))
        names.update(name for name, call in words if not call)
    return frozenset(names)


def evaluate(text: str, scope: Mapping[str, Any], where: str) -> Any:
    """Value of an expression, for example ``{2*w+140n}``.

    Parameters
    ----------
    text : str
        The expression, with or without braces.
    scope : mapping of str to float or ndarray
        Value of every name, in lower case; arrays are evaluated elementwise.
    where : str
        Name of the place in the netlist, for errors.

    Raises
    ------
    NetlistError
        If a name is unknown, the expression is not plain arithmetic, or its value is not a finite real number.
    """
    if len(text) > _LONGEST:
        raise NetlistError(f"{where}: {shown(text)} has {len(text)} characters; the maximum is {_LONGEST}")
    try:
        tree = _short_tree(text) if len(text) <= _SHORT else _tree(text)
        with np.errstate(all="ignore"):
            value = _value(tree, scope)
    except ParameterError as error:
        raise NetlistError(f"{where}: {shown(text)}: {error}") from None
    except KeyError as error:
        raise NetlistError(f"{where}: {shown(text)} uses {error.args[0]}, which has no value at this place") from None
    except (SyntaxError, TypeError, ValueError, ArithmeticError):
        raise NetlistError(f"{where}: {shown(text)} is not arithmetic that can be evaluated") from None
    except (RecursionError, MemoryError):
        raise NetlistError(f"{where}: {shown(text)} is nested too deeply") from None
    if np.iscomplexobj(value) or not np.all(np.isfinite(value)):
        raise NetlistError(f"{where}: {shown(text)} is not a finite real number for some values of {_names(scope)}")
    return value


def compute(text: str, scope: Mapping[str, Any]) -> Any:
    """Value of an expression of a declaration for numbers, arrays, tensors or symbols, without checks.

    `text` is the expression; `scope` has the value of every name in it, in any unit and of any shape.
    """
    return _value(_short_tree(text), scope)


def evaluate_number(value: float | str, scope: Mapping[str, Any], where: str = "declaration") -> float:
    """Return a number, or the value of a SPICE expression of the parameters, in SI units.

    Parameters
    ----------
    value : float or str
        The number, or the expression.
    scope : mapping of str to float
        Value of every name, in SI units.
    where : str
        Origin of the expression, for error messages.

    Raises
    ------
    NetlistError
        If the expression names something that has no value, or is no arithmetic.
    """
    return float(evaluate(value, scope, where)) if isinstance(value, str) else float(value)


def _tree(text: str) -> ast.expr:
    """An expression with plain numbers, parsed."""
    plain = _SCALED.sub(_number, text.strip().strip("{}'").lower().replace("^", "**"))
    return ast.parse(plain.strip(), mode="eval").body


_short_tree = lru_cache(maxsize=512)(_tree)


def _names(scope: Mapping[str, Any]) -> str:
    return ", ".join(name for name, value in scope.items() if np.ndim(value)) or "its parameters"


def _number(match: re.Match[str]) -> str:
    try:
        value = units.parse(match[0])
    except ParameterError:  # ngspice ignores letters after a number; a name cannot begin with a digit
        raise ParameterError(f"{shown(match[0])} is not a number with a SPICE scale factor") from None
    if math.isinf(value):
        raise ParameterError(f"{shown(match[0])} is too large for a floating-point number")
    return repr(value)


def _value(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name):
        return scope[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left, scope), _value(node.right, scope))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand, scope))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _FUNCTIONS[node.func.id](*(_value(argument, scope) for argument in node.args))
    raise TypeError(ast.dump(node))
