"""Lumped resistances of what surrounds an array, for SPICE and for the software model."""

from dataclasses import dataclass

from ..errors import ParameterError

LIMITS = {"r_driver": 1e6, "r_wire": 1e6, "r_supply": 1e6}
"""Largest resistances [ohm]."""


@dataclass(frozen=True, kw_only=True)
class Periphery:
    """Resistances around an array; the defaults are for rows and columns of 64 cells.

    Attributes
    ----------
    r_driver : float
        Resistance of the driver of each word line, which all cells of the row share [ohm].
    r_wire : float
        Resistance of word lines and bitlines per cell [ohm].
    r_supply : float
        Resistance of the supply of all row drivers [ohm].

    Raises
    ------
    ParameterError
        If a resistance is not a number from 0 to 1e6 ohm.
    """

    r_driver: float = 15.6
    r_wire: float = 2.0
    r_supply: float = 0.1

    def __post_init__(self) -> None:
        for name, most in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise ParameterError(f"{name} = {value!r:.40} must be a number of ohms from 0 to {most:g}")


FINITE = Periphery()
"""A driver of 1 kohm per cell, and wires of 2 ohm per cell."""


def check_periphery(periphery: object) -> Periphery | None:
    """Return the option `periphery`, or raise `ParameterError` if it is neither a `Periphery` nor None."""
    if periphery is not None and not isinstance(periphery, Periphery):
        raise ParameterError(f"periphery is of type {type(periphery).__name__}; it must be a Periphery or None")
    return periphery
