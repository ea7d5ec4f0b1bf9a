"""Bitline models: ideal clamp, clamp through a resistor, or no clamp."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..declare.attention_head import ModelName
from ..errors import ParameterError
from ..registry import DEFAULT_HEAD, Records, load_head
from ..sweeping.arguments import check_count, check_number
from .elements import find_model

KINDS = ("ideal", "resistor", "passive")
MOST_SLICES = 10_000
"""Largest number of time slices for a moving bitline."""
_LARGEST_CLAMP = 1e9
_SMALLEST_LINE, _LARGEST_LINE = 1e-18, 1.0
_SERIES_ORDER = 3
"""Order of the power series of a current in the move of the bitline."""
_NEWTON_STEPS = 4
"""Steps of Newton's method for the move of a bitline clamped through a resistor."""


@dataclass(frozen=True, kw_only=True)
class Bitline:
    """Clamp of a bitline.

    Attributes
    ----------
    kind : {"ideal", "resistor", "passive"}
        Ideal clamp; clamp through ``r_clamp``; or no clamp, so that the charge of the cells discharges ``c_bl``.
    r_clamp : float
        Resistance between bitline and clamp [ohm], from 0 to 1e9.
    c_bl : float
        Capacitance of the bitline without its cells [F], from 1e-18 to 1.
    slices : int
        Number of time slices of the longest pulse, from 1 to 10000.

    Raises
    ------
    ParameterError
        If the kind is unknown or a number is out of range.
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
    """Models of a cell over ``v_store, dv_bl``, for a moving bitline; ``most`` is the largest valid ``dv_bl`` [V]."""

    models: Mapping[str, Callable[..., Any]]
    most: float

    @classmethod
    def from_records(cls, records: Records, head: str = DEFAULT_HEAD) -> "MovingCell":
        """Load the models of the cell of a head from a set of records."""
        declared = load_head(head)
        names = {part: getattr(declared.sliced, part) for part in ("active", "idle", "edge", "move")}
        found = {
            part: find_model(records, declared.cell, ModelName(study=declared.sliced.study, model=name))
            for part, name in names.items()
        }
        return cls(models=found, most=found["active"].fit.valid_range["dv_bl"][1])

    def series(self, part: str, v_store: Tensor, order: int = _SERIES_ORDER) -> Tensor:
        """Expand a model in powers of the move ``dv_bl`` of the bitline.

        The polynomial interpolates the model at ``order + 1`` values of ``dv_bl``.

        Parameters
        ----------
        part : {"active", "idle", "edge", "move"}
            The model.
        v_store : Tensor, any shape
            Stored voltages [V].
        order : int
            Highest power.

        Returns
        -------
        Tensor, shape (order + 1, *v_store.shape)
            Coefficients of the powers 0 to `order`, in SI units.
        """
        nodes = torch.linspace(-self.most, self.most, order + 1, dtype=torch.float64, device=v_store.device)
        wide = v_store.to(torch.float64)
        values = torch.stack([self.models[part](wide, node) for node in nodes])
        powers = torch.linalg.vander(nodes, N=order + 1)
        found: Tensor = torch.linalg.solve(powers, values.flatten(1)).reshape(values.shape)
        return found.to(v_store.dtype)


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Power series in the move of the bitline, for each cell of an array.

    Attributes
    ----------
    active, idle : Tensor, shape (4, ..., rows, columns)
        Current of a cell during its pulse, and without a pulse; coefficient of power m in [A/V^m].
    edge : Tensor, shape (3, ..., rows, columns)
        Charge of the pulse edges; coefficient of power m in [C/V^m].
    c_cells : Tensor, shape (..., 1, columns)
        Capacitance that the cells add to the bitline [F].
    most : float
        Largest valid move of the bitline [V].
    """

    active: Tensor
    idle: Tensor
    edge: Tensor
    c_cells: Tensor
    most: float

    @classmethod
    def of(cls, cell: MovingCell, v_store: Tensor) -> "Slices":
        """Expand the models of `cell` at stored voltages `v_store` [V], shape (..., rows, columns)."""
        return cls(
            active=cell.series("active", v_store),
            idle=cell.series("idle", v_store),
            edge=cell.series("edge", v_store, 2),
            c_cells=cell.series("move", v_store, 2)[1].sum(-2, keepdim=True),
            most=cell.most,
        )


def integrate_slices(cells: Slices, bitline: Bitline, t_pulse: Tensor, t_max: float) -> tuple[Tensor, Tensor]:
    """Integrate the charge that the cells sink from each bitline over the time slices.

    All pulses start at the same time.  In each slice, active and idle cells sink their currents at the voltage of the
    bitline in the middle of the slice.

    Parameters
    ----------
    cells : Slices
        Power series of the cells.
    bitline : Bitline
        Clamp, and number of slices.
    t_pulse : Tensor, shape (..., rows)
        Pulse widths [s].
    t_max : float
        Longest pulse [s], the sum of all slices.

    Returns
    -------
    charge : Tensor, shape (..., columns)
        Charge sunk from each bitline [C].
    move : Tensor, shape (..., columns)
        Final move of each bitline [V].
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
    """Charge and move at the end of one slice; `sunk` are the coefficients of the current."""
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
    """Limit the move to the range in which the models were fitted."""
    return move.clamp(-most, most)
