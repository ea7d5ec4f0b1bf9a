"""Limits of outputs for the yield, and goals at which a campaign may stop, both read from texts."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..declare.bench import Floats
from ..errors import ParameterError
from ..storage.untrusted import shown
from ..units import parse
from .statistics import moments, wilson

_LONGEST_SPEC = 1000
_RELATION = re.compile(r"[<>]=?")
_GOAL = re.compile(r"\s*(sigma|mean|yield)\s*<\s*([0-9.eE+-]+)\s*%\s*")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A limit of an output: ``current @ bias=0.9 > 8u``.

    `where` selects points of the grid; all points if it is empty.
    """

    output: str
    relation: str
    limit: float
    where: Mapping[str, float]
    text: str

    def passes(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Boolean mask of the values that meet the limit; NaN, which is a failed sample, does not meet it.

        Parameters
        ----------
        values : array_like of any shape
            Output [SI unit].

        Returns
        -------
        ndarray of bool, same shape
            Boolean mask.
        """
        array: Floats = np.asarray(values, dtype=float)
        compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[self.relation]
        return np.asarray(compare(array, self.limit) & ~np.isnan(array), dtype=bool)


def parse_spec(text: str, units: Mapping[str, str] | None = None) -> Spec:
    """Read ``OUTPUT > LIMIT`` or ``OUTPUT @ NAME=VALUE,... > LIMIT``.

    Parameters
    ----------
    text : str
        The limit.
    units : mapping of str to str, optional
        Unit of every output and feature, and of conditions.  The numbers may then have these units.  Without it, any
        name of an output is accepted, and numbers have no unit.

    Raises
    ------
    ParameterError
        If the text has another form, the output is unknown, or a number cannot be read.
    """
    output, where, relation, limit = _parts(text)
    if units is not None and output not in units:
        raise ParameterError(f"spec {text!r}: there is no {output!r}; have {', '.join(units)}")
    known = units or {}
    return Spec(
        output=output,
        relation=relation,
        limit=_number(text, limit, known.get(output, "")),
        where={} if where is None else _places(text, where, known),
        text=" ".join(text.split()),
    )


def _parts(text: str) -> tuple[str, str | None, str, str]:
    """Output, place, relation and limit of a spec."""
    if len(text) > _LONGEST_SPEC:
        raise ParameterError(f"spec {shown(text)} has {len(text)} characters; the most is {_LONGEST_SPEC}")
    relation = _RELATION.search(text)
    left, right = (text[: relation.start()], text[relation.end() :]) if relation else (text, "")
    output, at, where = (part.strip() for part in left.partition("@"))
    limit = right.strip()
    odd = not (output and limit) or (at and not where) or "=" in output or re.search(r"[<>=\s]", limit)
    if relation is None or odd:
        raise ParameterError(f"spec {text!r}: write OUTPUT > LIMIT, <, >= or <=, for example 'current@bias=0.9 > 8u'")
    return output, where if at else None, relation[0], limit


def _places(text: str, where: str, units: Mapping[str, str]) -> dict[str, float]:
    places: dict[str, float] = {}
    for part in where.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (equals and name and value):
            raise ParameterError(f"spec {text!r}: after @ write NAME=VALUE, not {part.strip()!r}")
        if name in places:
            raise ParameterError(f"spec {text!r}: {name} is given twice; give it once")
        places[name] = _number(text, value, units.get(name, ""))
    return places


def _number(text: str, part: str, unit: str) -> float:
    try:
        value = parse(part, unit)
    except ParameterError as error:
        raise ParameterError(f"spec {text!r}: {error}") from None
    if not math.isfinite(value):
        raise ParameterError(f"spec {text!r}: {part} is not a finite number")
    return value


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Goal of a campaign: the half-width of the 95 % interval of a statistic is below `limit`.

    The half-widths of sigma and of the mean are relative to sigma.  The half-width of the yield is a difference of
    yields: 0.01 is one percentage point.
    """

    statistic: str
    limit: float
    text: str

    def width(self, values: ArrayLike) -> float:
        """Half-width of the interval; infinite below two samples, or for a mean or sigma if the values do not vary.

        A failed sample does not count for mean and sigma; for the yield it counts as not passed.

        Parameters
        ----------
        values : array_like, shape (n,)
            The quantity [SI unit]; for the yield 1 for each sample that passed, else 0.
        """
        array: Floats = np.asarray(values, dtype=float)
        if self.statistic == "yield":
            share = wilson(int(np.count_nonzero(array > 0)), array.size)
            return (share.high - share.low) / 2 if share.n > 1 else float("inf")
        found = moments(array)
        if not (found.n > 1 and found.sigma > 0):
            return float("inf")
        ends = (found.sigma_low, found.sigma_high) if self.statistic == "sigma" else (found.mean_low, found.mean_high)
        return (ends[1] - ends[0]) / 2 / found.sigma


def parse_goal(text: str) -> Goal:
    """Read ``sigma<2%``, ``mean<1%`` or ``yield<1%``.

    Raises
    ------
    ParameterError
        If the text has another form, or the limit is not between 0 and 100 %.
    """
    match = _GOAL.fullmatch(text)
    try:
        limit = float(match[2]) / 100 if match else 0.0
    except ValueError:
        limit = 0.0
    if match is None or not 0 < limit < 1:
        raise ParameterError(
            f"goal {text!r}: write 'sigma<2%', 'mean<1%' or 'yield<1%', with a percentage from 0 to 100"
        )
    return Goal(statistic=match[1], limit=limit, text=" ".join(text.split()))
