"""A process: wrapper devices as SPICE text, corners, spreads, mismatch, and its own sizes for circuits."""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import ParameterError, TechnologyError
from .params import Value


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Strict):
    """A closed interval."""

    low: float
    high: float


class Mismatch(_Strict):
    """Pelgrom coefficients: sigma = a / sqrt(w l)."""

    a_vt: Annotated[float, Field(ge=0, description="threshold [V m]")]
    a_beta: Annotated[float, Field(ge=0, description="current factor [m]")]


class Technology(_Strict):
    """What ``netlists/tech/<name>/technology.toml`` says, with the SPICE text it names.

    Attributes
    ----------
    process : mapping of str to float
        Global parameter of the wrapper devices -> one sigma over dies.
    corners : mapping of str to mapping
        Corner name -> value of those parameters; the ones left out are 0.
    circuits : mapping of str to mapping
        Circuit name -> parameter values that differ from the circuit's defaults.
    text : str
        Models and wrapper devices.
    """

    name: str
    title: str
    files: tuple[str, ...]
    flavours: tuple[str, ...]
    temp: Range
    process: Mapping[str, float]
    mismatch: Mismatch
    corners: Mapping[str, Mapping[str, float]]
    circuits: Mapping[str, Mapping[str, Value]] = {}
    text: str

    @property
    def digest(self) -> str:
        """Hash of everything the technology says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def corner(self, name: str) -> dict[str, float]:
        """Value of every process parameter at a corner."""
        if name not in self.corners:
            raise ParameterError(f"technology {self.name} has no corner {name!r}; have {', '.join(self.corners)}")
        return {**dict.fromkeys(self.process, 0.0), **self.corners[name]}

    def check_temp(self, temp: float) -> float:
        """Return the temperature [degC], or raise `ParameterError` if the models do not hold there."""
        if not self.temp.low <= temp <= self.temp.high:
            raise ParameterError(
                f"temp = {temp:g} degC is outside [{self.temp.low:g}, {self.temp.high:g}] degC, "
                f"where technology {self.name} holds"
            )
        return float(temp)


def parse_technology(toml: str, read: Callable[[str], str], where: str) -> Technology:
    """Build a `Technology` from the text of its ``technology.toml``.

    Parameters
    ----------
    toml : str
        The text.
    read : callable
        File name, as listed under ``files`` -> its text.
    where : str
        What to call the source in an error.

    Raises
    ------
    TechnologyError
        If a field is missing, unknown or wrong, or a corner sets an undeclared process parameter.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise TechnologyError(f"{where}: {error}") from None
    raw["text"] = "\n".join(read(name) for name in raw.get("files", ()))
    try:
        technology = Technology.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise TechnologyError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for corner, values in technology.corners.items():
        if unknown := values.keys() - technology.process.keys():
            raise TechnologyError(
                f"{where}: corner {corner} sets {sorted(unknown)}; [process] has {sorted(technology.process)}"
            )
    return technology
