"""What the software model says of an array and its converters, in NumPy arrays: for comparison with SPICE."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..declare.attention_head import Head, Operation
from ..declare.bench import Floats
from ..errors import DataError
from ..fitting.fit import Fit
from ..registry import find_record, load_random
from .array import GainCellArray
from .bitline import Bitline
from .elements import Element, best_form, choose_model, find_model

SLICED = "sliced"


@dataclass(frozen=True, kw_only=True)
class SoftwareModel:
    """The software model of one operation of a head.

    Attributes
    ----------
    bitline : Bitline
        How the columns are held; any form but ``"sliced"`` takes them for held still.
    """

    head: Head
    operation: Operation
    records: str | Path
    bitline: Bitline

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form the records hold, best last; ``"sliced"`` where the bitline moves."""
        best = best_form(self.records, self.head.name)
        names = list(self.head.forms)
        held = names[: names.index(best) + 1]
        return (*held, SLICED) if self.bitline.kind != "ideal" else tuple(held)

    def charge(self, form: str, v_store: Floats, t_pulse: Floats) -> Floats:
        """Charge [C] of every column, by stored voltages of shape (rows, columns) and pulses of shape (rows,)."""
        return np.asarray(self._array(form, torch.from_numpy(v_store))(torch.from_numpy(t_pulse)).numpy())

    def output(self, form: str, charge: Floats) -> Floats:
        """Converter's output [s] for charges [C]."""
        return np.asarray(self.converter(form)(torch.from_numpy(np.asarray(charge))).numpy())

    def converter(self, form: str) -> Element:
        """The converter's model of a form."""
        name = choose_model(self.operation.forms, self._still(form))
        return Element(find_model(self.records, self.operation.converter, name), outside="extrapolate")

    def draw(self, v_store: Floats, t_pulse: Floats, draws: int, seed: int) -> Floats:
        """Outputs [s] of `draws` arrays whose cells and converters mismatch, shape (draws, columns)."""
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
        """Error [s] of each output that the records lead one to expect, rms.

        The errors of the cells add up like independent ones; what the charge is off by shows in the output as far as
        the converter is steep there, which is far at its threshold; the converter's own error comes on top.

        Raises
        ------
        DataError
            If a model states no error.
        """
        cell, converter = self._cell(form), self.converter(form).model.fit
        if cell.stated is None or converter.stated is None:
            raise DataError(f"{cell.model} and {converter.model} state no error; compare with records that were fitted")
        driven = t_pulse[t_pulse > 0]
        lasted = 1.0 if cell.unit == "C" else float(np.sqrt(np.mean(driven**2))) if driven.size else 0.0
        off = np.sqrt(driven.size) * lasted * cell.stated.rms
        steep = (self.output(form, charge + off) - self.output(form, charge - off)) / 2
        return np.asarray(np.hypot(steep, converter.stated.rms))

    def _cell(self, form: str) -> Fit:
        if form == SLICED:
            record = find_record(self.records, f"{self.head.cell}.{self.head.sliced.study}")
            return record.fit(self.head.sliced.active)
        return find_model(self.records, self.head.cell, self.head.forms[form]).fit

    def _still(self, form: str) -> str:
        return best_form(self.records, self.head.name) if form == SLICED else form

    def _array(self, form: str, v_store: torch.Tensor) -> GainCellArray:
        return GainCellArray(
            v_store,
            records=self.records,
            form=self._still(form),
            head=self.head.name,
            bitline=self.bitline if form == SLICED else None,
        )
