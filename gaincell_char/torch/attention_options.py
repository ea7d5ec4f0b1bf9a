"""Options of attention: their names, types, defaults and checks."""

from dataclasses import dataclass
from typing import TypedDict

from ..errors import ParameterError
from ..fitting.at_conditions import NOMINAL, Condition
from ..registry import DEFAULT_HEAD
from ..sweeping.arguments import check_count, check_number
from .checks import check_flag
from .noise import check_read_noise


class AttentionOptions(TypedDict, total=False):
    """Names and types of the options of `Attention`."""

    head: str
    decay_per_token: float
    decay_on: str
    quantize: bool
    from_dac: bool
    window: int | None
    array_length: int | None
    gradient: str
    outside: str
    read_noise: float | str
    corner: str
    temp: float
    vdd: float | None


@dataclass(frozen=True, kw_only=True)
class Options:
    """Values of `AttentionOptions`, checked before a cached module is looked up, since True == 1 as a key."""

    head: str = DEFAULT_HEAD
    decay_per_token: float = 0.0
    decay_on: str = "weight"
    quantize: bool = False
    from_dac: bool = False
    window: int | None = None
    array_length: int | None = None
    gradient: str = "true"
    outside: str = "clamp"
    read_noise: float | str = 0.0
    corner: str = NOMINAL.corner
    temp: float = NOMINAL.temp
    vdd: float | None = NOMINAL.supply

    @property
    def condition(self) -> Condition:
        """Corner, temperature and supply."""
        return Condition(corner=self.corner, temp=self.temp, supply=self.vdd)

    def __post_init__(self) -> None:
        check_read_noise(self.read_noise)
        check_number("temp", self.temp)
        if self.vdd is not None:
            check_number("vdd", self.vdd, 0.0)
        check_number("decay_per_token", self.decay_per_token, 0.0)
        check_flag("quantize", self.quantize)
        check_flag("from_dac", self.from_dac)
        if self.decay_on not in ("weight", "output"):
            raise ParameterError(f"decay_on = {self.decay_on!r}; choose weight, output")
        for name, value in (("window", self.window), ("array_length", self.array_length)):
            if value is not None:
                check_count(name, value, 1)
