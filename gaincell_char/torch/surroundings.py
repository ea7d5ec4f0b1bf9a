"""What surrounds an array: resistance of row drivers, of word lines and bitlines, and of the supply.

An active row carries the current of all its cells, so its word lines do not reach their levels: the cells further from
the driver less so.  The sag does not change during a pulse, and so changes the current of each cell.  The moves of the
bitlines along their wire and of the supply depend on which pulses last how long; both are small, so their effect on the
charge is computed to first order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..declare.attention_head import ModelName
from ..declare.periphery import Periphery
from ..errors import DataError
from ..registry import Records, load_head
from .bitline import MovingCell
from .checks import Guard
from .elements import find_model

_ITERATIONS = 6
"""Steps of the fixed-point iteration for the sag of a row; each makes the error about ten times smaller."""


@dataclass(frozen=True, kw_only=True)
class SaggingCell:
    """Models of the currents between an active cell and its word lines, over ``v_store`` and the sag of both.

    Attributes
    ----------
    supply, ground : callable
        Current from the word line that is active at the supply, and into the one that is active at ground [A].
    inside : Guard
        Check of a sag [V] against the range of the fits; a larger one is treated as any input outside its range.
    """

    supply: Callable[..., Any]
    ground: Callable[..., Any]
    inside: Guard

    @classmethod
    def from_records(cls, records: Records, head: str, outside: str) -> "SaggingCell":
        """Load the models of the cell of a `head` from a set of `records`; `outside` is as of `Guard`.

        Raises
        ------
        DataError
            If the word lines of the head carry no current, or the records lack the models.
        """
        declared = load_head(head)
        if declared.sag is None:
            raise DataError(f"head {head} has no model of its word lines; use periphery=None")
        names = (declared.sag.supply, declared.sag.ground)
        supply, ground = (
            find_model(records, declared.cell, ModelName(study=declared.sag.study, model=name)) for name in names
        )
        most = min(supply.fit.valid_range[name][1] for name in supply.fit.inputs[1:])
        inside = Guard("the sag of a word line", 0.0, most, outside, f"{supply.fit.model} was fitted")
        return cls(supply=supply, ground=ground, inside=inside)

    def current(self, v_store: Tensor, sags: tuple[Tensor, Tensor]) -> Tensor:
        """Current from the bitline [A] at stored voltages [V] and `sags` of both word lines [V], elementwise."""
        found: Tensor = self.ground(v_store, *sags) - self.supply(v_store, *sags)
        return found


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of an array with a periphery.

    Attributes
    ----------
    change : Tensor, shape (..., rows, columns)
        Change of the current of each active cell by the sag of its word lines [A].
    supply : Tensor, shape (..., rows, columns)
        Current that each active cell draws from the supply [A].
    slope : Tensor, shape (..., rows, columns)
        Change of the current of each active cell per sag of the supply [A/V].
    """

    change: Tensor
    supply: Tensor
    slope: Tensor

    @classmethod
    def of(cls, cell: SaggingCell, periphery: Periphery, v_store: Tensor) -> "Rows":
        """Solve the rows of an array of `cell` with a `periphery` at `v_store` [V], shape (..., rows, columns)."""
        wide = v_store.to(torch.float64)
        none = torch.zeros_like(wide)
        sags = (none, none)
        for _ in range(_ITERATIONS):
            # The fitted current of a cell that conducts nothing may be slightly negative; a sag is not.
            reached = [_sag(periphery, current(wide, *sags)).clamp(min=0.0) for current in (cell.supply, cell.ground)]
            # The first steps overshoot; only the solution has to lie in the range of the fits.
            sags = (reached[0].clamp(max=cell.inside.high), reached[1].clamp(max=cell.inside.high))
        sags = (cell.inside(reached[0]), cell.inside(reached[1]))
        step = cell.inside.high / 10
        further = (sags[0] + step, sags[1])
        there = cell.current(wide, sags)
        found = (there - cell.current(wide, (none, none)), cell.supply(wide, *sags))
        change, supply, slope = (*found, (cell.current(wide, further) - there) / step)
        return cls(change=change.to(v_store), supply=supply.to(v_store), slope=slope.to(v_store))


def _sag(periphery: Periphery, current: Tensor) -> Tensor:
    """Sag [V] of a word line at every cell, for the current of every cell [A]; the driver is at the first column."""
    behind = current.flip(-1).cumsum(-1).flip(-1)
    return periphery.r_driver * current.sum(-1, keepdim=True) + periphery.r_wire * behind.cumsum(-1)


@dataclass(frozen=True, kw_only=True)
class Wires:
    """Slopes of the cells by the voltage of their bitline, for its wire; the clamp is after the last row.

    ``active`` and ``idle`` [S] have shape (..., rows, columns).
    """

    active: Tensor
    idle: Tensor

    @classmethod
    def of(cls, cell: MovingCell, v_store: Tensor) -> "Wires":
        """Slopes of `cell` at stored voltages [V], shape (..., rows, columns)."""
        return cls(active=cell.series("active", v_store)[1], idle=cell.series("idle", v_store)[1])


def wire_charge(periphery: Periphery, wires: Wires, current: Tensor, t_pulse: Tensor) -> Tensor:
    """Change of the charges [C] by the resistance of the bitlines, to first order, shape (..., n, columns).

    A current moves the bitline at another cell by the resistance that both share on the way to the clamp.

    Parameters
    ----------
    periphery : Periphery
        Resistances.
    wires : Wires
        Slopes of the cells.
    current : Tensor, shape (..., rows, columns)
        Current of the active cells [A].
    t_pulse : Tensor, shape (..., n, rows)
        Pulse widths [s].
    """
    row = torch.arange(current.shape[-2], device=current.device)
    shared = (len(row) - torch.maximum(row[:, None], row)).to(current)
    both = torch.minimum(t_pulse[..., :, None], t_pulse[..., None, :])
    only_other = t_pulse[..., None, :] - both
    # One matrix per query, times the currents of the columns: (..., n, rows, columns).
    moved_active = (shared * both) @ current[..., None, :, :]
    moved_idle = (shared * only_other) @ current[..., None, :, :]
    sunk = (wires.active[..., None, :, :] * moved_active + wires.idle[..., None, :, :] * moved_idle).sum(-2)
    return -periphery.r_wire * sunk


def supply_charge(periphery: Periphery, rows: Rows, t_pulse: Tensor) -> Tensor:
    """Change of the charges [C] by the resistance of the supply, to first order, shape (..., n, columns).

    `periphery` has the resistance, `rows` are the solved rows, `t_pulse` pulse widths [s], shape (..., n, rows).
    """
    both = torch.minimum(t_pulse[..., :, None], t_pulse[..., None, :])
    drawn = rows.supply.sum(-1)[..., None, :, None]
    return periphery.r_supply * (both @ drawn).squeeze(-1) @ rows.slope


class Surroundings:
    """The periphery of an array of the cells of a head.

    Parameters
    ----------
    periphery : Periphery
        Resistances.
    records, head, outside
        As of `GainCell.from_records`.

    Raises
    ------
    DataError
        If the records lack a model.
    """

    def __init__(self, periphery: Periphery, records: Records, head: str, outside: str = "clamp") -> None:
        self.periphery = periphery
        self._sagging = None if load_head(head).sag is None else SaggingCell.from_records(records, head, outside)
        self._moving = MovingCell.from_records(records, head)

    def rows(self, v_store: Tensor) -> Rows:
        """Solve the rows of an array at stored voltages [V], shape (..., rows, columns)."""
        if self._sagging is None:
            none = torch.zeros_like(v_store)
            return Rows(change=none, supply=none, slope=none)
        return Rows.of(self._sagging, self.periphery, v_store)

    def charge(self, rows: Rows, v_store: Tensor, current: Tensor, t_pulse: Tensor) -> Tensor:
        """Change of the charges [C] by the wires of the bitlines and by the supply, shape (..., columns).

        Parameters
        ----------
        rows : Rows
            The solved rows.
        v_store : Tensor, shape (..., rows, columns)
            Stored voltages [V].
        current : Tensor, shape (..., rows, columns)
            Current of the active cells [A].
        t_pulse : Tensor, shape (..., rows)
            Pulse widths [s].
        """
        if t_pulse.ndim == 1:
            return self.charge(rows, v_store, current, t_pulse[None]).squeeze(-2)
        wires = Wires.of(self._moving, v_store)
        found = wire_charge(self.periphery, wires, current, t_pulse)
        return found + supply_charge(self.periphery, rows, t_pulse)
