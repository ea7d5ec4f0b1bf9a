"""Schema of a technology: wrapper devices as SPICE text, corners, process and mismatch sigmas, sizes for circuits."""

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
import re2
from pydantic import AfterValidator, Field, ValidationError, model_validator

from ..declare.bench import Floats
from ..declare.circuit import Circuit
from ..declare.parameters import Params, Value
from ..errors import ParameterError, TechnologyError
from ..spice.netlist import Netlist, as_netlist
from ..spice.simulator_options import check_options
from ..storage.schema_fields import Finite, Label, Name, RelativePath, Text
from ..storage.untrusted import printable, shown
from .correlations import Correlation, correlation_matrix, faults_of_correlations
from .fields import Flavour, ParameterValue, Positive, distinct
from .toml_tables import CompiledModel, Mismatch, Models, Range, VerilogA

_HEADER = re.compile(r"\s{0,80}\[([^\[\]]{1,300})\]")
_KEY = re.compile(r"\s{0,80}([\w-]{1,128}|'[^']{1,1000}'|\"[^\"]{1,1000}\")[ \t]{0,80}=")
_MOST_TOLD = 3
_MOST_KEY_PARTS = 50
_DEEP_KEY = re2.compile(rf"(?:(?:[\w-]+|\"[^\"\n]*\"|'[^'\n]*')[ \t]*\.[ \t]*){{{_MOST_KEY_PARTS}}}")
_UNSAID = (
    *("base", "correlations", "axes", "options", "models", "supply", "absent", "libraries"),
    *("veriloga", "osdi", "compiled"),
)
"""Fields that do not enter the hash with their default."""
Fault = tuple[tuple[str, ...], str]
"""Place in a ``technology.toml``, and the error."""
# Fields filled from the files, not allowed in a technology.toml.
_FROM_FILES = ("text", "libraries", "compiled")


class Technology(VerilogA):
    """Content of ``netlists/tech/<name>/technology.toml``, with the SPICE text of its files.

    Attributes
    ----------
    base : str
        Built-in technology whose SPICE text is inserted first.
    process : mapping of str to float
        Global parameter of the wrapper devices -> sigma over dies.
    correlations : mapping of str to mapping
        Process parameter -> other process parameters, with the correlation of the two over dies; 0 if not listed.
    corners : mapping of str to mapping
        Corner name -> values of these parameters; 0 if not listed.
    circuits : mapping of str to mapping
        Circuit name -> parameter values of the circuit or its benches that replace the defaults.
    axes : mapping of str to mapping
        Circuit name -> axes that replace those of its benches, in the notation of ``--axis``.
    options : mapping of str to mapping
        Circuit name -> simulator options that replace those of its benches.
    models : Models, optional
        Model files of a foundry.
    supply : float
        Largest voltage [V] in the checks of the wrapper devices.
    absent : tuple of str
        Wrapper devices without a transistor in the process; they conduct no current.
    veriloga, osdi : tuple of str
        Verilog-A sources, and compiled models, in the folder of the technology.
    compiled : tuple of CompiledModel
        Compiled models of `veriloga` and `osdi`, here and in `models`.
    text : str
        Wrapper devices, and models that do not depend on the corner.
    libraries : mapping of str to str
        Corner -> SPICE text from the foundry files.
    """

    name: Label
    title: Text
    base: Label | Literal[""] = ""
    files: Annotated[tuple[RelativePath, ...], AfterValidator(distinct)]
    flavours: Annotated[tuple[Flavour, ...], AfterValidator(distinct)]
    temp: Range
    process: Mapping[Name, Positive]
    correlations: Mapping[Name, Mapping[Name, Correlation]] = {}
    mismatch: Mismatch
    corners: Mapping[Label, Mapping[Name, Finite]]
    circuits: Mapping[Name, Mapping[Name, ParameterValue]] = {}
    axes: Mapping[Name, Mapping[Name, Text]] = {}
    options: Mapping[Name, Mapping[Name, Finite]] = {}
    models: Models | None = None
    supply: Annotated[Finite, Field(gt=0)] = 0.9
    absent: Annotated[tuple[Name, ...], AfterValidator(distinct)] = ()
    text: str
    libraries: Mapping[str, str] = {}
    compiled: tuple[CompiledModel, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "tt" not in self.corners:
            raise ValueError("corners: tt, the typical corner, is missing")
        for corner, values in self.corners.items():
            if unknown := values.keys() - self.process.keys():
                have = ", ".join(sorted(self.process)) or "nothing"
                raise ValueError(f"corner {corner} sets {', '.join(sorted(unknown))}; [process] has {have}")
        if wrong := faults_of_correlations(self.correlations, list(self.process)):
            raise ValueError(wrong)
        if self.models and (missing := self.corners.keys() - self.models.sections.keys()):
            raise ValueError(f"[models.sections] names no section for corner {', '.join(sorted(missing))}")
        return self

    @cached_property
    def digest(self) -> str:
        """Hash of the complete technology."""
        unsaid = {name: True for name in _UNSAID if getattr(self, name) == type(self).model_fields[name].default}
        plain = {name: True for name in ("devices", "factor", "a_c") if not getattr(self.mismatch, name)}
        mismatch = {"mismatch": plain} if plain else {}
        # The location of the files and the way to get them do not affect results.
        places: dict[str, Any] = {"compiled": {"__all__": {"file"}}} if self.compiled else {}
        if models := self.models:
            plain = {name: True for name in ("veriloga", "osdi") if not getattr(models, name)}
            places["models"] = {"folders": True, "wheel": {"ignore_python": True}, **plain}
        said = self.model_dump_json(exclude={**unsaid, **mismatch, **places})
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def library(self, corner: str) -> Netlist:
        """All wrapper devices and models at a corner."""
        own = Netlist(as_netlist(self.text).items, self.compiled_files)
        return as_netlist(self.libraries[corner]) + own if self.libraries else own

    @property
    def compiled_files(self) -> tuple[str, ...]:
        """Files of compiled models that ngspice loads before a deck."""
        return tuple(one.file for one in self.compiled)

    def sizes(self, circuit: str, params: Params) -> Mapping[str, Value]:
        """Values that this technology sets for parameters of a circuit and one of its benches."""
        return {name: value for name, value in self.circuits.get(circuit, {}).items() if name in params}

    def check_flavours(self, circuit: str, chosen: Sequence[tuple[str, str]]) -> None:
        """Raise `ParameterError` unless this technology has the flavours chosen for a circuit's parameters."""
        wrong = [(name, value) for name, value in chosen if value not in self.flavours]
        if wrong:
            instead = self.flavours[0] if self.flavours else "..."
            entries = ", ".join(f'{name} = "{instead}"' for name in dict.fromkeys(name for name, _ in wrong))
            raise ParameterError(
                f"{', '.join(f'{name} = {value}' for name, value in wrong)}: technology {self.name} has no such "
                f"flavour; have {', '.join(self.flavours) or 'none'}: choose with --set, or write {entries} below "
                f"[circuits.{circuit}] in technology.toml"
            )

    def corner(self, name: str) -> dict[str, float]:
        """Values of all process parameters at a corner, or raise `ParameterError` if the corner is unknown."""
        if name not in self.corners:
            raise ParameterError(f"technology {self.name} has no corner {name!r}; have {', '.join(self.corners)}")
        return {**dict.fromkeys(self.process, 0.0), **self.corners[name]}

    @cached_property
    def mixing(self) -> Floats:
        """Lower triangular matrix, dimensionless, shape (n, n), in the order of ``process``.

        It turns independent standard normal numbers into numbers with the correlations.
        """
        return np.asarray(np.linalg.cholesky(correlation_matrix(self.correlations, list(self.process))))

    def check_temp(self, temp: float) -> float:
        """Return the temperature [degC], or raise `ParameterError` if it is outside the valid range of the models."""
        if not self.temp.low <= temp <= self.temp.high:
            raise ParameterError(
                f"temp = {temp:g} degC is outside [{self.temp.low:g}, {self.temp.high:g}] degC, "
                f"the valid range of technology {self.name} (temp in its technology.toml)"
            )
        return float(temp)


def faults(technology: Technology, circuits: Sequence[str], load: Callable[[str], Circuit]) -> Iterator[Fault]:
    """Entries of a technology without effect, for unknown wrapper devices, circuits or benches.

    Parameters
    ----------
    technology : Technology
        The technology.
    circuits : sequence of str
        Names of all circuits.
    load : callable
        Name -> circuit.
    """
    devices = [f"{kind}_{flavour}" for flavour in technology.flavours for kind in "np"]
    for device in technology.absent:
        if device not in devices:
            yield ("absent",), f"no wrapper device {device!r}; the flavours have {', '.join(devices) or 'none'}"
    for table in ("circuits", "axes", "options"):
        for name, said in getattr(technology, table).items():
            if name not in circuits:
                yield (table, name), f"no circuit {name!r}; have {', '.join(circuits)}"
            else:
                yield from (
                    (((table, name, key)), why) for key in said if (why := _why_not(table, key, said, load(name)))
                )


def _why_not(table: str, key: str, said: Mapping[str, Any], circuit: Circuit) -> str:
    """Reason why an entry for a circuit has no effect; empty if it has one."""
    if table == "options":
        try:
            check_options({key: said[key]})
        except ParameterError as error:
            return str(error)
    elif table == "circuits":
        have = {*circuit.params, *(name for bench in circuit.benches for name in bench.params)}
        if key not in have:
            return f"{circuit.name} and its benches have no parameter {key!r}; have {', '.join(sorted(have))}"
    else:
        swept = {
            name for bench in circuit.benches for name in (*bench.sweep, *([bench.curve.name] if bench.curve else []))
        }
        if key not in swept:
            return f"no bench of {circuit.name} sweeps {key!r}; they sweep {', '.join(sorted(swept)) or 'nothing'}"
    return ""


def parse_technology(
    toml: str,
    read: Callable[[Technology], str],
    where: str,
    look: Callable[[Technology], Iterable[Fault]] = lambda _: (),
) -> Technology:
    """Build a `Technology` from the text of its ``technology.toml``.

    Parameters
    ----------
    toml : str
        The text.
    read : callable
        Technology without text -> the SPICE text of its base and its files.
    where : str
        Name of the source, for errors.
    look : callable, optional
        Technology with its text -> further faults.

    Raises
    ------
    TechnologyError
        If a field is missing, unknown or wrong, a corner sets an undeclared process parameter, or `look` finds
        a fault; the message names the first three fields, with their lines.
    """
    raw = _raw(toml, where)
    if odd := [name for name in _FROM_FILES if name in raw]:
        raise TechnologyError(f"{where}: {_sentence(toml, odd[:1], 'Extra inputs are not permitted')}")
    try:
        # Before a file is opened, since an invalid manifest may name any file.
        plain = Technology.model_validate({**raw, "text": ""})
        technology = plain.model_copy(update={"text": read(plain)})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        told = [_sentence(toml, one["loc"], one["msg"]) for one in found[:_MOST_TOLD]]
        more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
        raise TechnologyError(f"{where}: {'; '.join(told)}{more}") from None
    if wrong := next(iter(look(technology)), None):
        raise TechnologyError(f"{where}: {_sentence(toml, *wrong)}")
    return technology


def _sentence(toml: str, place: Sequence[int | str], message: str) -> str:
    """Sentence with the error, its place, and the line of the file if it is known."""
    line = line_of(toml, [str(part) for part in place])
    where = ".".join(printable(str(part))[:60] for part in place)
    said = printable(message.removeprefix("Value error, "))
    at = f"line {line}: " if line else ""
    return f"{at}{where}: {said}" if where else f"{at}{said}"


def line_of(toml: str, place: Sequence[str]) -> int:
    """Line of a TOML text with the deepest part of a place that the text contains; 0 if there is none."""
    found, table = 0, list[str]()
    for number, line in enumerate(toml.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = [part.strip(" \"'") for part in header[1].split(".")]
            here = table
        elif key := _KEY.match(line):
            here = [*table, key[1].strip("\"'")]
        else:
            continue
        if here == list(place[: len(here)]):
            found = number
    return found


def with_compiled(technology: Technology, compiled: Iterable[CompiledModel]) -> Technology:
    """Return the technology with its compiled models."""
    return technology.model_copy(update={"compiled": tuple(compiled)})


def with_libraries(technology: Technology, libraries: Mapping[str, str]) -> Technology:
    """Return the technology with the SPICE text of the foundry files for each corner."""
    return technology.model_copy(update={"libraries": dict(libraries)})


def _raw(toml: str, where: str) -> dict[str, Any]:
    try:
        if key := _DEEP_KEY.search(toml):  # the time of Python's parser grows with the square of the number of parts
            raise ValueError(f"a key has more than {_MOST_KEY_PARTS} parts: {shown(key[0])}")
        return tomllib.loads(toml)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else printable(str(error))
        raise TechnologyError(f"{where}: not TOML: {said}") from None
