"""Write of a cell: codes or voltages of the DAC -> stored voltages."""

from typing import Self

import torch
from torch import Tensor, nn

from ..errors import ParameterError
from ..fitting.fitted import FittedModel, parameter
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, find_record, load_head
from .checks import check_tensor
from .elements import Element, best_form, choose_model, find_model

_CODES = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def is_code(value: object) -> bool:
    """Whether an input, of any shape, is a tensor of integers: codes, dimensionless, not voltages."""
    return isinstance(value, Tensor) and value.dtype in _CODES


def check_codes(name: str, codes: Tensor, levels: int) -> Tensor:
    """Check that `codes`, dimensionless and of any shape, are from 0 to `levels` - 1, and return them.

    `name` is the name of the input, for errors.

    Raises
    ------
    ParameterError
        If a code is out of range.
    """
    if codes.numel() and not torch.compiler.is_compiling():
        least, most = (int(x) for x in torch.aminmax(codes))
        if least < 0 or most >= levels:
            raise ParameterError(f"{name} has codes from {least} to {most}; codes must be from 0 to {levels - 1}")
    return codes


def find_supply(records: Records, form: str | None, head: str) -> float:
    """Highest level of the DAC [V], the supply in the record of the cell; arguments as of `Write.from_records`.

    Parameters
    ----------
    records, form, head
        Set of records, form of the cell's model, attention head.

    Raises
    ------
    DataError
        If the records lack the cell, or its record states no supply.
    """
    declared = load_head(head)
    cell = choose_model(declared.forms, form or best_form(records, head))
    return parameter(find_record(records, f"{declared.cell}.{cell.study}"), "vdd")


class Write(nn.Module):
    """Stored voltage [V] of a cell after a write: ``write(codes)`` or ``write(v_dac)``.

    The DAC has equally spaced levels from 0 to the supply.  When the write gate closes, its charge moves the stored
    voltage by a few millivolts.  The published form of the cell stores the levels exactly.

    Parameters
    ----------
    model : FittedModel or None
        A stored voltage over ``v_dac``; None for a write that stores the voltage of the DAC exactly.
    levels : int
        Number of levels of the DAC.
    supply : float
        Highest level [V].
    outside : {"clamp", "refuse", "extrapolate"}
        Treatment of voltages outside the valid range of the fit, as of `Guard`.

    Raises
    ------
    ParameterError
        If `outside` is unknown.
    """

    def __init__(self, model: FittedModel | None, levels: int, supply: float, outside: str = "clamp") -> None:
        super().__init__()
        self.element = None if model is None else Element(model, outside)
        self.levels, self.supply = levels, supply

    @classmethod
    def from_records(
        cls,
        records: Records = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "clamp",
    ) -> Self:
        """Load the write of an attention head's cell; `records`, `form`, `head`, `outside` as of `GainCell`.

        Raises
        ------
        DataError
            If the records lack a model.
        ParameterError
            If the form is unknown.
        """
        declared = load_head(head)
        name = declared.write_forms.get(form or best_form(records, head))
        model = None if name is None else find_model(records, declared.cell, name)
        return cls(model, declared.levels_store, find_supply(records, form, head), outside)

    @property
    def step(self) -> float:
        """Distance of two levels of the DAC [V]."""
        return self.supply / (self.levels - 1)

    def voltage(self, codes: Tensor, name: str = "codes") -> Tensor:
        """Voltage of the DAC [V], in PyTorch's default type, for integer codes of any shape, dimensionless.

        `codes` are from 0 to `levels` - 1; `name` is the name of the input, for errors.

        Raises
        ------
        ParameterError
            If a code is out of range.
        """
        return self.step * check_codes(name, codes, self.levels).to(torch.get_default_dtype())

    def forward(self, given: Tensor) -> Tensor:
        """Return the stored voltages [V], in the shape of the input.

        Parameters
        ----------
        given : Tensor, any shape
            Integers: codes of the DAC, dimensionless.  Floating-point numbers: voltages of the DAC [V].

        Raises
        ------
        ParameterError
            If it is not a tensor of integers or real numbers, a code is out of range, or a voltage is NaN or out of
            range with ``outside="refuse"``.
        """
        v_dac = self.voltage(given) if is_code(given) else check_tensor("v_dac", given)
        return v_dac if self.element is None else self.element(v_dac)

    def extra_repr(self) -> str:
        """Levels of the DAC."""
        return f"{self.levels} levels from 0 to {self.supply:g} V"
