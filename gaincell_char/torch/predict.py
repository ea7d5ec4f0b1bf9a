"""Predictions of the software model for an array and its converters, as NumPy arrays, for comparison with SPICE."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..declare.attention_head import Head, Operation
from ..declare.bench import Floats
from ..declare.periphery import Periphery
from ..errors import DataError
from ..fitting.fit import Fit
from ..fitting.fitted import FittedModel
from ..registry import Records, find_record, load_random
from .array import GainCellArray
from .bitline import Bitline
from .dac import Write
from .decay import Decay
from .elements import Element, choose_model, find_model, list_forms
from .shared_bias import SharedBias

SLICED = "sliced"


@dataclass(frozen=True, kw_only=True)
class SoftwareModel:
    """The software model of one operation of a head.

    Attributes
    ----------
    head : Head
        The attention head.
    operation : Operation
        The operation: scores or values.
    records : str or Path
        Name of a packaged set of records, or a folder of records.
    bitline : Bitline
        Clamp of the columns; only the form ``"sliced"`` uses it, the other forms assume an ideal clamp.
    periphery : Periphery, optional
        Resistances around the array.
    write : bool
        The given voltages are those of the DAC that writes the cells; otherwise they are stored.
    hold : float
        Time between the write and the first pulse, with idle write bitlines [s].
    """

    head: Head
    operation: Operation
    records: Records
    bitline: Bitline
    periphery: Periphery | None = None
    write: bool = False
    hold: float = 0.0

    @property
    def forms(self) -> tuple[str, ...]:
        """All forms in the records, best last; ``"sliced"`` is added for a moving bitline."""
        held = list_forms(self.records, self.head.name)
        return (*held, SLICED) if self.bitline.kind != "ideal" else held

    def charge(self, form: str, v_store: Floats, t_pulse: Floats) -> Floats:
        """Charge of every column [C], shape (columns,).

        Parameters
        ----------
        form : str
            Form of the cell's model.
        v_store : ndarray, shape (rows, columns)
            Stored voltages, or those of the DAC with `write` [V].
        t_pulse : ndarray, shape (rows,)
            Pulse widths [s].
        """
        return np.asarray(self._array(form, torch.from_numpy(v_store))(torch.from_numpy(t_pulse)).numpy())

    def swing(self, form: str, v_store: Floats, t_pulse: Floats) -> Floats:
        """Course of the charge of every column, as of `GainCellArray.swing` [C], shape (columns,).

        Parameters
        ----------
        form : str
            Form of the cell's model.
        v_store : ndarray, shape (rows, columns)
            Stored voltages, or those of the DAC with `write` [V].
        t_pulse : ndarray, shape (rows,)
            Pulse widths [s].
        """
        return np.asarray(self._array(form, torch.from_numpy(v_store)).swing(torch.from_numpy(t_pulse)).numpy())

    def output(self, form: str, charge: Floats, swing: Floats | None = None) -> Floats:
        """Pulse widths that the converters output.

        Parameters
        ----------
        form : str
            Form of the cell's model.
        charge : ndarray, shape (columns,)
            Charges [C]; with a periphery those of all columns, whose converters share one bias.
        swing : ndarray, shape (columns,), optional
            Course of the charge [C]; it is taken as steady by default, and if the records lack its model.

        Returns
        -------
        ndarray, shape (columns,)
            Pulse widths [s].
        """
        converter, given = self.converter(form), torch.from_numpy(np.asarray(charge))
        if swing is not None and (path := self._path()) is not None:
            given = given - path(given, torch.from_numpy(np.asarray(swing)))
        if self.periphery is not None:
            given = SharedBias.from_records(self.records, self.operation, converter.model).charge(given)
        return np.asarray(converter(given).numpy())

    def converter(self, form: str) -> Element:
        """Model of the converter in a form."""
        name = choose_model(self.operation.forms, self._still(form))
        return Element(find_model(self.records, self.operation.converter, name), outside="extrapolate")

    def draw(self, v_store: Floats, t_pulse: Floats, draws: int, seed: int) -> Floats:
        """Outputs [s] of random arrays with mismatch in cells and converters, shape (draws, columns).

        Parameters
        ----------
        v_store : ndarray, shape (rows, columns)
            Stored voltages [V].
        t_pulse : ndarray, shape (rows,)
            Pulse widths [s].
        draws : int
            Number of arrays.
        seed : int
            Seed of the random numbers.
        """
        generator = torch.Generator().manual_seed(seed)
        form = self.forms[-1]
        many = torch.from_numpy(np.broadcast_to(v_store, (draws, *v_store.shape)).copy())
        array = self._array(form, many)
        array.sample_mismatch(generator, mismatch=True, process=False)
        charge = array(torch.from_numpy(t_pulse).expand(draws, 1, -1)).squeeze(-2).numpy()
        record = find_record(self.records, f"{self.operation.converter}.{self.operation.random.study}")
        random = load_random(record, self.operation.random.model)
        drawn = random.draw(1, charge.size, seed, parts=("mismatch",))
        own = {name: values.reshape(charge.shape) for name, values in drawn.items()}
        return np.asarray(random(charge, **own))

    def stated(self, form: str, charge: Floats, t_pulse: Floats) -> Floats:
        """Expected rms error [s] of each output, from the errors stated in the records; shape (columns,).

        The errors of the cells add as independent errors.  The slope of the converter turns the error of the charge
        into an error of the output, and the converter's own error is added in quadrature.

        Parameters
        ----------
        form : str
            Form of the cell's model.
        charge : ndarray, shape (columns,)
            Charge of each column [C].
        t_pulse : ndarray, shape (rows,)
            Pulse widths [s].

        Raises
        ------
        DataError
            If a record states no error.
        """
        cell, converter = self._cell(form), self.converter(form).model.fit
        if cell.stated is None or converter.stated is None:
            raise DataError(f"{cell.model} and {converter.model} state no error; use records that were fitted")
        driven = t_pulse[t_pulse > 0]
        lasted = 1.0 if cell.unit == "C" else float(np.sqrt(np.mean(driven**2))) if driven.size else 0.0
        off = np.sqrt(driven.size) * lasted * cell.stated.rms
        alone = replace(self, periphery=None)
        steep = (alone.output(form, charge + off) - alone.output(form, charge - off)) / 2
        return np.asarray(np.hypot(steep, converter.stated.rms))

    def _path(self) -> FittedModel | None:
        """Charge that is lost on the way, if the records contain its model."""
        if self.operation.path is None:
            return None
        try:
            return find_model(self.records, self.operation.converter, self.operation.path)
        except DataError:
            return None

    def _cell(self, form: str) -> Fit:
        if form == SLICED:
            record = find_record(self.records, f"{self.head.cell}.{self.head.sliced.study}")
            return record.fit(self.head.sliced.active)
        return find_model(self.records, self.head.cell, self.head.forms[form]).fit

    def _still(self, form: str) -> str:
        return list_forms(self.records, self.head.name)[-1] if form == SLICED else form

    def _array(self, form: str, given: torch.Tensor) -> GainCellArray:
        return GainCellArray(
            self._stored(self._still(form), given),
            records=self.records,
            form=self._still(form),
            head=self.head.name,
            bitline=self.bitline if form == SLICED else None,
            periphery=self.periphery,
        )

    def _stored(self, form: str, given: torch.Tensor) -> torch.Tensor:
        """Stored voltages at the first pulse [V], for stored voltages or those of the DAC."""
        if not self.write:
            return given
        stored: torch.Tensor = Write.from_records(self.records, form, head=self.head.name)(given)
        if self.hold == 0:
            return stored
        decay = Decay.from_records(self.records, form, head=self.head.name, schedule=None)
        aged: torch.Tensor = decay(stored, torch.as_tensor(self.hold, dtype=stored.dtype))
        return aged
