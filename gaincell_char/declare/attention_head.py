"""What a file in ``circuits/heads/`` declares: the circuits of an attention head, and their models."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ParameterError

_PLACE = re.compile(r"<(\w+)>")


@dataclass(frozen=True, kw_only=True)
class ModelName:
    """Where a model is found: the record of a study, and the model's name in it."""

    study: str
    model: str


@dataclass(frozen=True, kw_only=True)
class Sliced:
    """Models of a cell on a bitline that moves: power series in the move, all of one study."""

    study: str
    active: str
    idle: str
    edge: str
    move: str


@dataclass(frozen=True, kw_only=True)
class Sag:
    """Models of the currents of a cell's word lines over its stored voltage and the sag of both, of one study.

    Attributes
    ----------
    supply, ground : str
        Model of the current from the word line that is active at the supply, and into the one active at ground.
    """

    study: str
    supply: str
    ground: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One array with its converters.

    Attributes
    ----------
    doc : str
        ``"phi(Q K^T)"``.
    converter : str
        Circuit at the foot of every column.
    forms : mapping of str to ModelName
        Form of the software model -> the converter's model.
    random : ModelName
        The converter's model with random coefficients.
    bench, output : str
        Converter's bench whose parameters time a conversion, and that of its outputs which is the result.
    controls : str
        SPICE text that drives every converter of the array.
    bias_line : str
        Instance of the bias circuit; ``<b>`` is the suffix of its nodes.
    converter_line : str
        Instance of a column's converter; ``<c>`` is the suffix of the column's nodes, ``<b>`` that of its bias.
    noise : ModelName, optional
        The jitter of the converter's pulse by charge.
    shared : ModelName, optional
        Charge whose part of the pulse is missing if several converters with the same charge share one bias, by charge
        and number of converters.
    path : ModelName, optional
        Charge that is lost on the way, by charge and by the height of the triangle that is added to its steady course.
    """

    name: str
    doc: str
    converter: str
    forms: Mapping[str, ModelName]
    random: ModelName
    output: str
    bench: str
    controls: str
    bias_line: str
    converter_line: str
    noise: ModelName | None = None
    shared: ModelName | None = None
    path: ModelName | None = None


@dataclass(frozen=True, kw_only=True)
class Head:
    """An attention head; ``name`` is also its file name in ``circuits/heads/``.

    Attributes
    ----------
    cell, decay : str
        Circuits of the array's cell and of its idle capacitor.
    forms : mapping of str to ModelName
        Form of the software model -> the cell's model, worst first.
    decay_forms : mapping of str to ModelName
        The same for the stored voltage.
    sliced : Sliced
        The cell on a bitline that moves.
    random : ModelName
        The cell's model with random coefficients.
    leak_random : ModelName
        The leakage with random coefficients, of the circuit `decay`.
    leak_rates : mapping of str to str
        Random number of that model -> coefficient of the decay that its exponential multiplies.
    operations : tuple of Operation
        Scores, then values.
    shared : str
        SPICE text that drives every cell of the array.
    row_levels : mapping of str to (str, str)
        Node of a row, without its suffix -> levels of the source that drives it, idle and active, as SPICE text.
    cell_line : str
        Instance of a cell: ``<i>`` is its suffix, ``<bl>`` its bitline, and ``<wlr>`` a row node called ``wlr``.  The
        cell stores its voltage on ``st<i>``.
    levels_input, levels_store, levels_output : int
        Quantisation of pulse widths in [0, 1], of stored voltages from 0 to the supply, of outputs in [-1, 1].
    noise : ModelName, optional
        The noise of the cell's charge by stored voltage and pulse width.
    write_forms : mapping of str to ModelName
        Form of the software model -> the stored voltage after a write, by level of the DAC; a form that is not listed
        stores the levels exactly.
    sag : Sag, optional
        The currents of the word lines; None if they carry no current.
    """

    name: str
    title: str
    cell: str
    decay: str
    forms: Mapping[str, ModelName]
    decay_forms: Mapping[str, ModelName]
    sliced: Sliced
    random: ModelName
    leak_random: ModelName
    leak_rates: Mapping[str, str]
    operations: tuple[Operation, ...]
    shared: str
    row_levels: Mapping[str, tuple[str, str]]
    cell_line: str
    levels_input: int = 16
    levels_store: int = 8
    levels_output: int = 31
    noise: ModelName | None = None
    write_forms: Mapping[str, ModelName] = field(default_factory=dict)
    sag: Sag | None = None

    def operation(self, name: str) -> Operation:
        """Return the operation called `name`.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise ParameterError(
            f"{self.name} has no operation {name!r}; have {', '.join(o.name for o in self.operations)}"
        )


def fill_line(line: str, **names: str) -> str:
    """Return a line of SPICE text with every ``<name>`` replaced.

    Raises
    ------
    ParameterError
        If the line names something else.
    """
    try:
        return _PLACE.sub(lambda match: names[match[1]], line)
    except KeyError as error:
        raise ParameterError(f"{line!r} names <{error.args[0]}>; have {', '.join(f'<{n}>' for n in names)}") from None
