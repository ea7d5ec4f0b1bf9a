"""What a bitline does with the charge of its cells: held still, held by a resistor, or left to swing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..declare.attention_head import ModelName
from ..errors import ParameterError
from ..registry import DEFAULT_HEAD, load_head
from ..sweeping.arguments import check_count, check_number
from .elements import find_model

KINDS = ("ideal", "resistor", "passive")
MOST_SLICES = 10_000
"""Largest number of time slices of a bitline that moves."""
_LARGEST_CLAMP = 1e9
_SMALLEST_LINE, _LARGEST_LINE = 1e-18, 1.0
_SERIES_ORDER = 3
"""Order of the power series of a current in the bitline's move."""
_NEWTON_STEPS = 4
"""Steps of Newton's method for the move of a bitline that a resistor holds."""


@dataclass(frozen=True, kw_only=True)
class Bitline:
    """How a bitline is held while the cells draw on it.

    Attributes
    ----------
    kind : {"ideal", "resistor", "passive"}
        Clamped without fail, through ``r_clamp``, or not at all: the charge moves ``c_bl``.
    r_clamp : float
        Resistance between bitline and clamp [ohm], from 0 to 1e9.
    c_bl : float
        Everything the bitline charges [F], its cells left out, from 1e-18 to 1.
    slices : int
        Time slices of the longest pulse, from 1 to 10000.

    Raises
    ------
    ParameterError
        If the kind is unknown or a number out of range.
    """

    kind: str = "ideal"
    r_clamp: float = 300.0
    c_bl: float = 3e-12
    slices: int = 8

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ParameterError(f"bitline = {self.kind!r}; choose {', '.join(KINDS)}")
        check_number("r_clamp", self.r_clamp, 0.0, _LARGEST_CLAMP)
        check_number("c_bl", self.c_bl, _SMALLEST_LINE, _LARGEST_LINE)
        check_count("slices", self.slices, 1, MOST_SLICES)


@dataclass(frozen=True, kw_only=True)
class MovingCell:
    """A cell on a bitline that moves: models over ``v_store, dv_bl``, and how far they hold."""

    models: Mapping[str, Callable[..., Any]]
    most: float

    @classmethod
    def from_records(cls, records: str | Path, head: str = DEFAULT_HEAD) -> "MovingCell":
        """Return the series of a head's cell."""
        declared = load_head(head)
        names = {part: getattr(declared.sliced, part) for part in ("active", "idle", "edge", "move")}
        found = {
            part: find_model(records, declared.cell, ModelName(study=declared.sliced.study, model=name))
            for part, name in names.items()
        }
        return cls(models=found, most=found["active"].fit.valid_range["dv_bl"][1])

    def series(self, part: str, v_store: Tensor, order: int = _SERIES_ORDER) -> Tensor:
        """Coefficients of the powers 0 to `order` of ``dv_bl``, stacked in front: (order + 1, *v_store.shape).

        Read off at as many moves as there are powers: exact, whatever the form of the model.
        """
        nodes = torch.linspace(-self.most, self.most, order + 1, dtype=torch.float64, device=v_store.device)
        wide = v_store.to(torch.float64)
        values = torch.stack([self.models[part](wide, node) for node in nodes])
        powers = torch.linalg.vander(nodes, N=order + 1)
        found: Tensor = torch.linalg.solve(powers, values.flatten(1)).reshape(values.shape)
        return found.to(v_store.dtype)


@dataclass(frozen=True, kw_only=True)
class Slices:
    """A column of cells as the sliced model sees it: power series in the bitline's move, per cell.

    ``active``, ``idle`` have shape (4, ..., rows, columns) [A/V^m], ``edge`` (3, ..., rows, columns) [C/V^m], and
    ``c_cells`` (..., 1, columns) is what the cells add to the bitline [F].
    """

    active: Tensor
    idle: Tensor
    edge: Tensor
    c_cells: Tensor
    most: float

    @classmethod
    def of(cls, cell: MovingCell, v_store: Tensor) -> "Slices":
        """Return the slices' view of cells that store `v_store` [V], shape (..., rows, columns)."""
        return cls(
            active=cell.series("active", v_store),
            idle=cell.series("idle", v_store),
            edge=cell.series("edge", v_store, 2),
            c_cells=cell.series("move", v_store, 2)[1].sum(-2, keepdim=True),
            most=cell.most,
        )


def integrate_slices(cells: Slices, bitline: Bitline, t_pulse: Tensor, t_max: float) -> tuple[Tensor, Tensor]:
    """Integrate the charge [C] that a bitline's cells sink, slice by slice, and find where the bitline ends [V].

    The pulses start together.  In each slice the active cells sink one current, the idle ones another, both at the
    bitline's voltage in the middle of the slice.

    Parameters
    ----------
    t_pulse : Tensor, shape (..., rows)
        Pulse widths [s].

    Returns
    -------
    Tensor, Tensor, shape (..., columns)
    """
    if t_pulse.ndim == 1:
        charge, move = integrate_slices(cells, bitline, t_pulse[None], t_max)
        return charge.squeeze(-2), move.squeeze(-2)
    dt = t_max / bitline.slices
    idle = cells.idle.sum(-2, keepdim=True)
    difference = cells.active - cells.idle
    charge = move = torch.zeros_like(t_pulse[..., :1])
    for number in range(bitline.slices):
        start = number * dt
        share = ((t_pulse - start) / dt).clamp(0.0, 1.0)
        ends = ((t_pulse > start) & (t_pulse <= start + dt)).to(t_pulse.dtype)
        current = [share @ difference[m] + idle[m] for m in range(_SERIES_ORDER + 1)]
        edges = [ends @ part / dt for part in cells.edge]
        sunk = [c + e for c, e in zip(current, [*edges, 0.0], strict=True)]
        charge, move = _advance(bitline, sunk, charge, dt, cells)
    return charge, move


def _advance(bitline: Bitline, sunk: list[Tensor], charge: Tensor, dt: float, cells: Slices) -> tuple[Tensor, Tensor]:
    """One slice on: charge and move at its end, `sunk` the coefficients of the current."""
    if bitline.kind == "ideal":
        return charge + dt * sunk[0], torch.zeros_like(charge)
    if bitline.kind == "resistor":
        move = torch.zeros_like(charge)
        for _ in range(_NEWTON_STEPS):
            slope = 1 + bitline.r_clamp * _evaluate_series([sunk[1], 2 * sunk[2], 3 * sunk[3]], move)
            move = _clamp_move(move - (move + bitline.r_clamp * _evaluate_series(sunk, move)) / slope, cells.most)
        return charge + dt * _evaluate_series(sunk, move), move
    capacitance = bitline.c_bl + cells.c_cells
    start = _clamp_move(-charge / capacitance, cells.most)
    middle = _clamp_move(start - dt / 2 * _evaluate_series(sunk, start) / capacitance, cells.most)
    charge = charge + dt * _evaluate_series(sunk, middle)
    return charge, -charge / capacitance


def _evaluate_series(coefficients: list[Tensor], x: Tensor) -> Tensor:
    """Value of a power series, lowest power first, by Horner's rule."""
    result = coefficients[-1] * torch.ones_like(x)
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result


def _clamp_move(move: Tensor, most: float) -> Tensor:
    """The series hold no further than they were fitted."""
    return move.clamp(-most, most)
