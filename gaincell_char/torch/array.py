"""An array of gain cells: stored voltages and input pulses -> charges of the bitlines."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..declare.periphery import Periphery, check_periphery
from ..errors import DataError, ParameterError
from ..fitting.fitted import RandomCircuits
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, find_record, load_head, load_random
from .bitline import Bitline, MovingCell, Slices, integrate_slices
from .checks import Guard, check_finite, check_tensor, check_time, check_together, check_within, exact, fits
from .decay import Decay
from .dies import Dies
from .elements import GainCell, best_form, longest_pulse
from .noise import RECORD, ReadNoise, check_read_noise, draw
from .products import pulses, surrogate, weights_of
from .random_numbers import draw_parts, keep_random, kept_random
from .surroundings import Rows, Surroundings


class GainCellArray(nn.Module):
    """Gain-cell array: pulses drive the rows, bitlines collect the charge of the columns.

    Parameters
    ----------
    v_store : Tensor, shape (..., rows, columns)
        Stored voltages [V]; part of the state.
    records : str or Path
        Name of a packaged set of records, or a folder of records.
    form : str, optional
        Form of the cell's model; the best form in the records by default.
    head : str
        Name of the attention head, which defines cell and converters.
    bitline : Bitline, optional
        Clamp of the bitlines; ideal by default, so that the charge is one matrix product.
    periphery : Periphery, optional
        Resistances of row drivers, wires and supply; none by default.  The columns are those of one array: its rows
        carry the current of all of them.
    read_noise : float or "record"
        Standard deviation of the charge of each read [C], or the noise of the records: the variances of the cells at
        their stored voltages and pulse widths are added.  New noise is drawn at every call; it has no gradient.
    gradient : {"true", "surrogate"}
        As of `GainCell`; with a moving bitline only the true gradient is available.
    outside : {"clamp", "refuse", "extrapolate"}
        Treatment of stored voltages outside the valid range, as of `Guard`.  A pulse width is never extrapolated: a
        pulse ends with the converters' window.

    Raises
    ------
    ParameterError
        If `v_store` is not a tensor of finite real numbers of this shape, or an option is unknown or out of range.
        float16 is rejected: pulses and charges in SI units are too small for it.
    DataError
        If the records lack a model of the array.

    Examples
    --------
    >>> array = GainCellArray(torch.full((64, 64), 0.7))
    >>> charge = array(torch.full((64,), 5e-9))  # [C], shape (64,)
    """

    def __init__(
        self,
        v_store: Tensor,
        *,
        records: Records = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        head: str = DEFAULT_HEAD,
        bitline: Bitline | None = None,
        periphery: Periphery | None = None,
        read_noise: float | str = 0.0,
        gradient: str = "true",
        outside: str = "clamp",
    ) -> None:
        super().__init__()
        if check_finite("v_store", v_store).ndim < 2:
            raise ParameterError(f"v_store has shape {tuple(v_store.shape)}; it must have shape (..., rows, columns)")
        self.records, self.head = records, head
        self.read_noise = check_read_noise(read_noise)
        self._noise = ReadNoise(records, head) if self.read_noise == RECORD else None
        self.cell = GainCell.from_records(records, form, head=head, outside=outside, gradient=gradient)
        self.form = form or best_form(records, head)
        self.bitline = bitline or Bitline()
        if self.bitline.kind != "ideal" and gradient == "surrogate":
            raise ParameterError("a moving bitline has no surrogate gradient; use gradient='true'")
        self.periphery = check_periphery(periphery)
        if self.periphery is not None and gradient == "surrogate":
            raise ParameterError("an array with a periphery has no surrogate gradient; use gradient='true'")
        self._moving = MovingCell.from_records(records, head) if self.bitline.kind != "ideal" else None
        self._surroundings = None if self.periphery is None else Surroundings(self.periphery, records, head, outside)
        self.random: RandomCircuits | None = None
        self.t_max = longest_pulse(records, head)
        kept = "refuse" if outside == "refuse" else "clamp"
        self._pulse = Guard("t_pulse", 0.0, self.t_max, kept, "the converters accept pulses")
        self.register_buffer("v_store", v_store)
        self.v_store: Tensor

    def write(self, v_store: Tensor) -> None:
        """Replace the stored voltages [V] by others of the same shape.

        Raises
        ------
        ParameterError
            If `v_store` is not a tensor of finite real numbers, or has another shape.
        """
        if check_finite("v_store", v_store).shape != self.v_store.shape:
            raise ParameterError(
                f"v_store has shape {tuple(v_store.shape)}; the array has shape {tuple(self.v_store.shape)}"
            )
        self.v_store = v_store.to(self.v_store)

    def age(self, time: float | Tensor, decay: Decay, leaks: Mapping[str, Tensor] | None = None) -> None:
        """Decay the stored voltages over a time since their write, while other tokens are written.

        Parameters
        ----------
        time : float or Tensor, shape broadcast to (..., rows, columns)
            Time [s].
        decay : Decay
            Model of the decay, which knows when the write bitlines are in use.
        leaks : mapping of str to Tensor, shape broadcast to (..., rows, columns), optional
            Factor of each leak of each cell, dimensionless, from `Decay.sample_leaks`; 1 by default.

        Raises
        ------
        ParameterError
            If a time or a factor is not finite, is below 0, or does not broadcast to the cells, `decay` is not a
            `Decay`, or it has no leak of that name.
        """
        if not isinstance(decay, Decay):
            raise ParameterError(f"decay is of type {type(decay).__name__}; it must be a Decay")
        elapsed = torch.as_tensor(check_time("time", time), dtype=self.v_store.dtype, device=self.v_store.device)
        check_within("time", elapsed, self.v_store.shape)
        for name, factor in (leaks or {}).items():
            check_within(name, check_finite(name, factor, 0.0), self.v_store.shape)
        self.v_store = decay(self.v_store, elapsed, {name: x.to(self.v_store) for name, x in (leaks or {}).items()})

    def sample_mismatch(
        self,
        generator: torch.Generator | None = None,
        *,
        process: bool = False,
        mismatch: bool = True,
        dies: Dies | None = None,
    ) -> None:
        """Draw random coefficients for the cells; each array (leading dimensions of ``v_store``) is one die.

        Parameters
        ----------
        generator : torch.Generator, optional
            Source of the random numbers.
        process : bool
            Draw process variation, common to the cells of a die.
        mismatch : bool
            Draw mismatch, independent in each cell.
        dies : Dies, optional
            Process of the dies, which they share with converters and leaks; it is then not drawn.

        Raises
        ------
        DataError
            If the records contain no random cell model, or none for this form.
        ParameterError
            If `dies` are of another type or shape.
        """
        name = load_head(self.head).random
        record = find_record(self.records, f"{load_head(self.head).cell}.{name.study}")
        self.random = load_random(record, name.model)
        if self.random.fit.inputs != self.cell.model.fit.inputs:
            raise DataError(
                f"random model {name.model} belongs to the pulsed form; {self.cell.model.fit.model} has no random model"
            )
        shape = tuple(self.v_store.shape)
        total = draw_parts(self.random.fit, shape, generator, process=process, mismatch=mismatch, dies=dies)
        keep_random(self, self.random.fit, total.to(self.v_store))

    def currents(self) -> tuple[Tensor, Tensor | None]:
        """Return the current of every cell during its pulse, and the charge of the pulse edges.

        Returns
        -------
        current : Tensor, shape (..., rows, columns)
            [A].
        edges : Tensor, shape (..., rows, columns), or None
            [C]; None if the model has no charge of edges.
        """
        return self._currents(self._rows())

    def _rows(self) -> Rows | None:
        if self._surroundings is None:
            return None
        return self._surroundings.rows(self.cell.inside("v_store", self.v_store))

    def _currents(self, rows: Rows | None) -> tuple[Tensor, Tensor | None]:
        v_store = self.cell.inside("v_store", self.v_store)
        if self.random is None:
            current, edges = self.cell.split(self.cell.model, v_store)
        else:
            current, edges = self.cell.split(self.random, v_store, **kept_random(self))
        return (current if rows is None else current + rows.change), edges

    def forward(self, t_pulse: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the charge that the cells sink from every bitline.

        Parameters
        ----------
        t_pulse : Tensor, shape (..., rows)
            Pulse widths [s].
        generator : torch.Generator, optional
            Source of the read noise.

        Returns
        -------
        Tensor, shape (..., columns)
            Charge [C].

        Raises
        ------
        ParameterError
            If `t_pulse` is not a tensor of real numbers of the array's type, has the wrong shape, contains NaN, or is
            out of range with ``outside="refuse"``.
        """
        self._check(t_pulse)
        t_pulse = self._pulse(t_pulse)
        with exact(t_pulse):
            rows = self._rows()
            current, edges = self._currents(rows)
            if self._moving is None:
                charge = self._held_still(t_pulse, current, edges)
            else:
                charge = self._moved(t_pulse, current, edges, self._moving)
            if self._surroundings is not None and rows is not None:
                v_store = self.cell.inside("v_store", self.v_store)
                charge = charge + self._surroundings.charge(rows, v_store, current, t_pulse)
        return charge if self.read_noise == 0 else charge + draw(self._deviation(t_pulse, charge), generator)

    def swing(self, t_pulse: Tensor) -> Tensor:
        """Return how the charge of every bitline reaches its end, for `ReLUC2P` and `SignedC2P`.

        All pulses begin together, so that more current flows at first than later, and the charge is beyond a steady
        course to the same end.  Its mean distance from that course is half the height of a triangle.

        Parameters
        ----------
        t_pulse : Tensor, shape (..., rows)
            Pulse widths [s].

        Returns
        -------
        Tensor, shape (..., columns)
            Height of the triangle [C].

        Raises
        ------
        ParameterError
            As of `forward`.
        """
        self._check(t_pulse)
        t_pulse = self._pulse(t_pulse)
        with exact(t_pulse):
            current, _ = self.currents()
            return (t_pulse * (1 - t_pulse / self.t_max)) @ current

    def _deviation(self, t_pulse: Tensor, charge: Tensor) -> Tensor:
        """Standard deviation [C] of the charges of a read."""
        if self._noise is None:
            return torch.full_like(charge, float(self.read_noise))
        weights = self._noise.weights(self.cell.inside("v_store", self.v_store))
        return self._noise.deviation(t_pulse, weights)

    def _check(self, t_pulse: Tensor) -> None:
        check_tensor("t_pulse", t_pulse)
        check_together(t_pulse=t_pulse, v_store=check_tensor("v_store", self.v_store))
        *dies, rows, _ = self.v_store.shape
        if t_pulse.ndim < 1 or t_pulse.shape[-1] != rows or not fits(t_pulse.shape[:-2], dies):
            first = "..., " if not dies else f"..., {', '.join(map(str, dies))}, n, "
            raise ParameterError(
                f"t_pulse has shape {tuple(t_pulse.shape)}; an array of {rows} rows needs shape ({first}{rows})"
            )

    def _held_still(self, t_pulse: Tensor, current: Tensor, edges: Tensor | None) -> Tensor:
        driven, weights = pulses(t_pulse, edges is not None), weights_of(current, edges, dim=-2)
        if self.cell.gradient == "true":
            return driven @ weights
        return surrogate(driven @ weights, t_pulse, self.cell.line(self.v_store))

    def _moved(self, t_pulse: Tensor, current: Tensor, edges: Tensor | None, moving: MovingCell) -> Tensor:
        """Charge with a moving bitline: the pulsed form at zero move, a power series in the move of the bitline."""
        slices = Slices.of(moving, self.cell.inside("v_store", self.v_store))
        slices = replace(
            slices,
            active=torch.cat([current[None], slices.active[1:]]),
            idle=torch.cat([torch.zeros_like(slices.idle[:1]), slices.idle[1:]]),
            edge=slices.edge if edges is None else torch.cat([edges[None], slices.edge[1:]]),
        )
        return integrate_slices(slices, self.bitline, t_pulse, self.t_max)[0]
