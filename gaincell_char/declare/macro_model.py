"""How a circuit's models act at the ports of its subcircuit: what exported macro-models are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class MacroText:
    """The text around the formulas in one language.

    ``signals`` gives each input of the models as an expression of the voltages at the ports.  In ``text``, ``<name>``
    is a quantity and ``{name}`` a parameter or a coefficient.  ``appendix`` follows the subcircuit: parts that benches
    need in addition.  ``nodes`` and ``variables`` are those of the text, in languages that declare them.
    """

    signals: Mapping[str, str]
    text: str
    appendix: str = ""
    nodes: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Macro:
    """How fitted models act on the ports of the circuit's subcircuit: what an exported macro-model is made of.

    Attributes
    ----------
    models : tuple of str
        Models it can be made of.
    not_modelled : str
        What the circuit does and the macro-model does not.
    spice, verilog_a : MacroText
        The text in each language; Verilog-A is optional.
    parameters : tuple of str
        Parameters of the circuit or the bench that ``text`` refers to, in addition to the coefficients.
    quantities : mapping of str to callable
        Name of a quantity in ``text`` -> ``quantity(model, *inputs)``, where the model has its coefficients and the
        inputs come in the order of ``signals``.  By default there is one: the model's output, under its name.
    """

    models: tuple[str, ...]
    not_modelled: str
    spice: MacroText
    verilog_a: MacroText | None = None
    parameters: tuple[str, ...] = ()
    quantities: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
