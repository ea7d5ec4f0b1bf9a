"""An array of gain cells: stored voltages, pulses in, charges out."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import DataError, ParameterError
from ..fitting.fitted import RandomCircuits
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, find_record, load_head, load_random
from ..sweeping.arguments import check_number
from .bitline import Bitline, MovingCell, Slices, integrate_slices
from .checks import Guard, check_finite, check_tensor, check_time, check_together, check_within, exact, fits
from .elements import Decay, GainCell, best_form, longest_pulse

_RANDOM = "random_"


class GainCellArray(nn.Module):
    """Cells that hold ``v_store`` [V], shape (..., rows, columns); pulses drive rows, bitlines collect columns.

    Parameters
    ----------
    v_store : Tensor, shape (..., rows, columns)
        Stored voltages; part of the state.
    records : str or Path
        A packaged set of records, or a folder of them.
    form : str, optional
        Form of the cell's model; the best in the records by default.
    bitline : Bitline, optional
        Held still by default: then the charge is one matrix product.
    read_noise : float
        Sigma of the charge of each read [C], drawn anew at every call.
    gradient : {"true", "surrogate"}
        As of `GainCell`; a bitline that moves has its true gradient only.
    outside : {"clamp", "refuse", "extrapolate"}
        What to do with stored voltages out of range, as of `Guard`; a pulse ends with the converters' window, so its
        width is never extrapolated.

    Raises
    ------
    ParameterError
        If `v_store` is no tensor of finite real numbers of that shape, or an option is unknown or out of range.
        float16 is refused: pulses and charges in SI units are too small for it.
    DataError
        If the records do not hold what the array is built from.
    """

    def __init__(
        self,
        v_store: Tensor,
        *,
        records: str | Path = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        head: str = DEFAULT_HEAD,
        bitline: Bitline | None = None,
        read_noise: float = 0.0,
        gradient: str = "true",
        outside: str = "clamp",
    ) -> None:
        super().__init__()
        if check_finite("v_store", v_store).ndim < 2:
            raise ParameterError(f"v_store has shape {tuple(v_store.shape)}; it takes (..., rows, columns)")
        self.records, self.head = records, head
        self.read_noise = check_number("read_noise", read_noise, 0.0)
        self.cell = GainCell.from_records(records, form, head=head, outside=outside, gradient=gradient)
        self.form = form or best_form(records, head)
        self.bitline = bitline or Bitline()
        if self.bitline.kind != "ideal" and gradient == "surrogate":
            raise ParameterError("a bitline that moves has no surrogate gradient; use gradient='true'")
        self._moving = MovingCell.from_records(records, head) if self.bitline.kind != "ideal" else None
        self.random: RandomCircuits | None = None
        self.t_max = longest_pulse(records, head)
        kept = "refuse" if outside == "refuse" else "clamp"
        self._pulse = Guard("t_pulse", 0.0, self.t_max, kept, "the converters' window runs")
        self.register_buffer("v_store", v_store)
        self.v_store: Tensor

    def write(self, v_store: Tensor) -> None:
        """Store other voltages [V] of the same shape.

        Raises
        ------
        ParameterError
            If `v_store` is no tensor of finite real numbers, or has another shape.
        """
        if check_finite("v_store", v_store).shape != self.v_store.shape:
            raise ParameterError(
                f"v_store has shape {tuple(v_store.shape)}; the array's is {tuple(self.v_store.shape)}"
            )
        self.v_store = v_store.to(self.v_store)

    def age(self, time: float | Tensor, decay: Decay, rates: Tensor | None = None) -> None:
        """Let the cells idle for `time` [s]; ``rates`` from `Decay.sample_rates` gives each cell its own pace.

        Raises
        ------
        ParameterError
            If a time or a rate is not finite or below 0, does not broadcast to the cells, or `decay` is no `Decay`.
        """
        if not isinstance(decay, Decay):
            raise ParameterError(f"decay is of type {type(decay).__name__}; it takes a Decay")
        elapsed = torch.as_tensor(check_time("time", time), dtype=self.v_store.dtype, device=self.v_store.device)
        check_within("time", elapsed, self.v_store.shape)
        if rates is not None:
            check_within("rates", check_finite("rates", rates, 0.0), self.v_store.shape)
            elapsed = elapsed * rates.to(self.v_store)
        self.v_store = decay(self.v_store, elapsed)

    def sample_mismatch(
        self, generator: torch.Generator | None = None, *, process: bool = False, mismatch: bool = True
    ) -> None:
        """Draw the cells: each array (leading dimensions) is a die, each cell differs from its neighbours.

        Parameters
        ----------
        process, mismatch : bool
            Draw what a die's cells share, and what they do not.

        Raises
        ------
        DataError
            If the records hold no random cell, or the form has none.
        """
        name = load_head(self.head).random
        record = find_record(self.records, f"{load_head(self.head).cell}.{name.study}")
        self.random = load_random(record, name.model)
        if self.random.fit.inputs != self.cell.model.fit.inputs:
            raise DataError(f"{name.model} stands for the pulsed form; {self.cell.model.fit.model} has no random cells")
        *dies, rows, columns = self.v_store.shape
        total = torch.zeros((*dies, rows, columns, len(self.random.fit.coefficients)), dtype=torch.float64)
        for part, wanted, shape in (
            ("process", process, (*dies, 1, 1)),
            ("mismatch", mismatch, (*dies, rows, columns)),
        ):
            if wanted:
                total = total + _normal(self.random.fit.covariance[part], shape, generator)
        for index, coefficient in enumerate(self.random.fit.coefficients):
            self.register_buffer(f"{_RANDOM}{coefficient.name}", total[..., index].to(self.v_store))

    def _coefficients(self) -> dict[str, Tensor]:
        return {n.removeprefix(_RANDOM): b for n, b in self.named_buffers(recurse=False) if n.startswith(_RANDOM)}

    def currents(self) -> tuple[Tensor, Tensor | None]:
        """Current [A] of every cell while its pulse lasts, and charge [C] of the pulse's edges."""
        v_store = self.cell.inside("v_store", self.v_store)
        if self.random is None:
            return self.cell.split(self.cell.model, v_store)
        return self.cell.split(self.random, v_store, **self._coefficients())

    def forward(self, t_pulse: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Charge [C] sunk from every bitline, shape (..., columns), by pulse widths [s], shape (..., rows).

        Raises
        ------
        ParameterError
            If `t_pulse` is no tensor of real numbers of the array's type, has a shape that does not fit, or NaN in it,
            or lies out of range and the array refuses that.
        """
        self._check(t_pulse)
        t_pulse = self._pulse(t_pulse)
        with exact(t_pulse):
            charge = self._held_still(t_pulse) if self._moving is None else self._moved(t_pulse, self._moving)
        if self.read_noise == 0:
            return charge
        noise = torch.randn(charge.shape, generator=generator, dtype=charge.dtype, device=charge.device)
        return charge + self.read_noise * noise

    def _check(self, t_pulse: Tensor) -> None:
        check_tensor("t_pulse", t_pulse)
        check_together(t_pulse=t_pulse, v_store=check_tensor("v_store", self.v_store))
        *dies, rows, _ = self.v_store.shape
        if t_pulse.ndim < 1 or t_pulse.shape[-1] != rows or not fits(t_pulse.shape[:-2], dies):
            first = "..., " if not dies else f"..., {', '.join(map(str, dies))}, n, "
            raise ParameterError(
                f"t_pulse has shape {tuple(t_pulse.shape)}; an array of {rows} rows takes ({first}{rows})"
            )

    def _held_still(self, t_pulse: Tensor) -> Tensor:
        current, edges = self.currents()
        driven, weights = pulses(t_pulse, edges is not None), weights_of(current, edges, dim=-2)
        if self.cell.gradient == "true":
            return driven @ weights
        return surrogate(driven @ weights, t_pulse, self.cell.line(self.v_store))

    def _moved(self, t_pulse: Tensor, moving: MovingCell) -> Tensor:
        """The pulsed form where the bitline stands still, and the series for what its move changes."""
        slices = Slices.of(moving, self.cell.inside("v_store", self.v_store))
        current, edges = self.currents()
        slices = replace(
            slices,
            active=torch.cat([current[None], slices.active[1:]]),
            idle=torch.cat([torch.zeros_like(slices.idle[:1]), slices.idle[1:]]),
            edge=slices.edge if edges is None else torch.cat([edges[None], slices.edge[1:]]),
        )
        return integrate_slices(slices, self.bitline, t_pulse, self.t_max)[0]


def pulses(t_pulse: Tensor, edges: bool) -> Tensor:
    """Pulse widths, and beside them whether there is a pulse, if its edges count."""
    return torch.cat([t_pulse, (t_pulse > 0).to(t_pulse.dtype)], -1) if edges else t_pulse


def weights_of(current: Tensor, edges: Tensor | None, dim: int) -> Tensor:
    """What the product with `pulses` takes."""
    return current if edges is None else torch.cat([current, edges], dim)


def surrogate(product: Tensor, line_left: Tensor, line_right: Tensor) -> Tensor:
    """`product`, with the gradient of ``line_left @ line_right``."""
    if not torch.is_grad_enabled():
        return product
    line = line_left @ line_right
    return product.detach() + (line - line.detach())


def _normal(covariance: list[list[float]], shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Normal numbers of a covariance that may be singular, shape (*shape, n)."""
    values, vectors = torch.linalg.eigh(torch.tensor(covariance, dtype=torch.float64))
    root = vectors * values.clamp(min=0.0).sqrt()
    standard: Tensor = torch.randn((*shape, len(covariance)), generator=generator, dtype=torch.float64)
    drawn: Tensor = standard @ root.mT
    return drawn
