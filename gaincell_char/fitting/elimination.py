"""Backward elimination: terms of the laws of a model over conditions that the error of a prediction does not need.

Terms are removed one at a time.  A term goes if the cross-validated error does not become larger without it.  Points
are left out in two ways: all points of one condition, and those with one value of an input.  An error is the geometric
mean of the rms errors of the blocks, so that every condition counts, not those alone at which a form is at its limit;
the cross-validated error is the geometric mean of the errors of both ways.
Near the solution the fit is a linear problem, in which a fit without some points and without one more coefficient is
known in closed form (Seber and Lee, Linear Regression Analysis, 2003, sections 3.8 and 10.1).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from ..declare.bench import Floats, Numbers
from ..declare.law import LEAK, Law
from ..declare.pvt import PvtModel
from .cross_validation import blocks
from .least_squares import Problem
from .points import Mask

CONDITIONS, ROWS = "conditions", "rows"
"""The two ways of leaving points out."""
_RAISED = 1e-4
"""Relative growth of an error that counts as none: numerical error."""
_EXACT = 1e-12
"""Error that counts as none."""
_DETERMINED = 1e-9
"""Smallest eigenvalue of the normal equations without a block, relative to those with it, at which it is predicted."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Points that are left out together: the way of leaving out, their place, and their mask, shape (n,).

    Blocks of one way and place at several corners have one rms error.
    """

    way: str
    place: tuple[float, ...]
    mask: Mask


@dataclass(frozen=True, kw_only=True)
class LinearProblem:
    """A linear least-squares problem and the blocks of points that are left out of it in turn.

    Attributes
    ----------
    names : list of str
        The coefficients.
    jacobian : ndarray, shape (n, n_coefficients)
        Output by each coefficient in units of its scale [full range].
    target : ndarray, shape (n,)
        Output to be fitted [full range].
    weight : ndarray, shape (n,)
        Weight of each residual [dimensionless].
    removed : ndarray, shape (n_coefficients,)
        Value of each coefficient after its removal, in units of its scale.
    blocks : sequence of Block
        What is left out.
    """

    names: list[str]
    jacobian: Floats
    target: Floats
    weight: Floats
    removed: Floats
    blocks: Sequence[Block]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One removal: the coefficient, its law after it, and the errors [full range] by the way of leaving out."""

    coefficient: str
    law: Law
    errors: Mapping[str, float]


def linear_problem(model: PvtModel, problem: Problem, values: Numbers, robust: float) -> LinearProblem:
    """Linear problem near the fit of a model over conditions.

    Parameters
    ----------
    model : PvtModel
        The model.
    problem : Problem
        Its problem at one corner.
    values : mapping of str to float
        Its fitted coefficients.
    robust : float
        As in `Problem.solve`; the weights are those of the solution.
    """
    scaled, predicted, jacobian = problem.linearise(values)
    residual = problem.weight * (predicted - problem.points.output / problem.full_range)
    soft = (1 + (residual / robust) ** 2) ** -0.25 if robust else np.ones(residual.size)
    target = problem.points.output / problem.full_range - predicted + jacobian @ scaled
    # Without its amplitude a leakage term has no activation energy; the energy then remains where it is.
    energies = {f"{name}_{LEAK[-1]}" for name, law in model.laws.items() if law.leak}
    stays = np.array([name in energies for name in problem.free])
    return LinearProblem(
        names=problem.free,
        jacobian=jacobian,
        target=target,
        weight=problem.weight * soft,
        removed=np.where(stays, scaled, 0.0),
        blocks=[*_conditions(model, problem.points.inputs), *_rows(problem.points.inputs)],
    )


def _conditions(model: PvtModel, inputs: Mapping[str, Floats]) -> Iterator[Block]:
    """Points of each temperature and supply."""
    where = np.stack([inputs[name] for name in model.conditions], axis=1)
    places, codes = np.unique(where, axis=0, return_inverse=True)
    for code, place in enumerate(places.tolist()):
        yield Block(way=CONDITIONS, place=tuple(place), mask=codes == code)


def _rows(inputs: Mapping[str, Floats]) -> Iterator[Block]:
    for number, mask in enumerate(blocks(inputs)):
        yield Block(way=ROWS, place=(number,), mask=mask)


def eliminate(problems: Sequence[LinearProblem], laws: Mapping[str, Law]) -> tuple[dict[str, float], list[Step]]:
    """Remove terms of laws until every further removal makes the cross-validated error larger.

    Parameters
    ----------
    problems : sequence of LinearProblem
        Problem of the same model at each corner.
    laws : mapping of str to Law
        Coefficient -> its law with all terms.

    Returns
    -------
    errors : dict of str to float
        Way of leaving out -> error with all terms [full range].
    steps : list of Step
        The removals in their order.
    """
    known = [[block for block in one.blocks if _is_determined(one, block.mask)] for one in problems]
    left, gone, steps = dict(laws), set[str](), list[Step]()
    first = errors = _errors(problems, known, gone, [])[0]
    while choices := [(name, law) for name, law in left.items() for law in law.simpler()]:
        without = [_terms(name, left[name]) - _terms(name, law) for name, law in choices]
        errors, *tried = _errors(problems, known, gone, without)
        growth = [float(np.prod([one[way] / errors[way] for way in errors])) for one in tried]
        best = int(np.argmin(growth))
        if not growth[best] <= 1 + _RAISED:
            break
        name, law = choices[best]
        left[name] = law
        gone |= without[best]
        steps.append(Step(coefficient=name, law=law, errors=tried[best]))
    return first, steps


def errors_with(
    problems: Sequence[LinearProblem],
    widest: Mapping[str, Law],
    laws: Mapping[str, Law],
    like: Sequence[LinearProblem] | None = None,
) -> dict[str, float]:
    """Errors of left-out points with some of the terms.

    Parameters
    ----------
    problems : sequence of LinearProblem
        Problem of the same model at each corner.
    widest, laws : mapping of str to Law
        Coefficient -> its law with all terms of `problems`, and with those that remain.
    like : sequence of LinearProblem, optional
        Problems that decide which blocks count: those without which the points determine all terms; `problems` by
        default.

    Returns
    -------
    dict of str to float
        Way of leaving out -> error [full range].
    """
    wide = problems if like is None else like
    known = [[block for block in one.blocks if _is_determined(one, block.mask)] for one in wide]
    gone = set[str]().union(*(_terms(name, law) - _terms(name, laws[name]) for name, law in widest.items()))
    return _errors(problems, known, gone, [])[0]


def _terms(name: str, law: Law) -> set[str]:
    return {f"{name}_{suffix}" for suffix in law.names}


def _is_determined(problem: LinearProblem, block: Mask) -> bool:
    """Whether the points without a block determine all coefficients."""
    weighted = problem.weight[:, None] * problem.jacobian
    q = np.linalg.qr(weighted / np.linalg.norm(weighted, axis=0))[0][block]
    return bool(np.linalg.norm(q, 2) ** 2 < 1 - _DETERMINED)


def _errors(
    problems: Sequence[LinearProblem],
    known: Sequence[Sequence[Block]],
    gone: Iterable[str],
    without: Sequence[set[str]],
) -> list[dict[str, float]]:
    """Errors by the way of leaving out: of the problems without the coefficients `gone`, and without more."""
    squares: dict[tuple[str, tuple[float, ...]], Floats] = {}
    counts: dict[tuple[str, tuple[float, ...]], int] = {}
    for problem, own in zip(problems, known, strict=True):
        reduced = _Reduced(problem, gone)
        constraints = [reduced.constraint(names) for names in without]
        for block in own:
            key = block.way, block.place
            squares[key] = squares.get(key, 0.0) + reduced.squares(block.mask, constraints)
            counts[key] = counts.get(key, 0) + int(block.mask.sum())
    ways = dict.fromkeys(way for way, _ in squares)
    logs = {
        way: np.mean([np.log(_EXACT**2 + squares[key] / counts[key]) for key in squares if key[0] == way], axis=0) / 2
        for way in ways
    }
    return [{way: float(np.exp(logs[way][i])) for way in ways} for i in range(len(without) + 1)]


class _Reduced:
    """A linear problem without some coefficients, in an orthonormal basis of its columns."""

    def __init__(self, problem: LinearProblem, gone: Iterable[str]) -> None:
        out = np.isin(problem.names, list(gone))
        target = problem.target - problem.jacobian[:, out] @ problem.removed[out]
        weighted = problem.weight[:, None] * problem.jacobian[:, ~out]
        size = np.linalg.norm(weighted, axis=0)
        self._q, r = np.linalg.qr(weighted / size)
        self._inverse = scipy.linalg.solve_triangular(r, np.eye(len(r)))
        self._b, self._weight = problem.weight * target, problem.weight
        self._rows = {name: row for row, name in enumerate(np.array(problem.names)[~out].tolist())}
        self._removed = problem.removed[~out] * size

    def constraint(self, names: Iterable[str]) -> tuple[Floats, Floats]:
        """Matrix and values of the constraint that coefficients have the values of removed ones."""
        rows = [self._rows[name] for name in sorted(names) if name in self._rows]
        return self._inverse[rows].T, self._removed[rows]

    def squares(self, block: Mask, constraints: Sequence[tuple[Floats, Floats]]) -> Floats:
        """Sum of the squared errors in a left-out block, without a constraint and under each."""
        q, b, weight = self._q[block], self._b[block], self._weight[block]
        inverse = np.linalg.inv(np.eye(q.shape[1]) - q.T @ q)
        z = inverse @ (self._q.T @ self._b - q.T @ b)
        error = q @ z - b
        found = np.empty((b.size, len(constraints) + 1))
        found[:, 0] = error
        single = [i for i, (_, values) in enumerate(constraints) if values.size == 1]
        if single:
            matrix = np.hstack([constraints[i][0] for i in single])
            moved = inverse @ matrix
            excess = matrix.T @ z - np.concatenate([constraints[i][1] for i in single])
            found[:, 1 + np.array(single)] = error[:, None] - q @ (moved * (excess / np.sum(matrix * moved, axis=0)))
        for i in set(range(len(constraints))) - set(single):
            matrix, values = constraints[i]
            strength = np.linalg.solve(matrix.T @ inverse @ matrix, matrix.T @ z - values)
            found[:, 1 + i] = error - q @ (inverse @ (matrix @ strength))
        return np.asarray(np.sum((found / weight[:, None]) ** 2, axis=0))
