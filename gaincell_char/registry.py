"""Find the contents of circuits/, netlists/ and fits/, without a list of their names."""

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from .declare.attention_head import Head
from .declare.circuit import Circuit
from .declare.discovery import circuit_modules, head_modules
from .errors import DataError, ParameterError, RequestError, TechnologyError
from .fitting.at_conditions import RecordsAt, record_at
from .fitting.fitted import FittedModel, RandomCircuits, check_record, random_model
from .fitting.record import Record, read_record
from .spice.netlist import Netlist
from .spice.netlist_files import read_netlist_file
from .spice.reader import read_netlist
from .storage import untrusted
from .sweeping.plan import SweepPlan, make_plan
from .sweeping.step_control import StepControlSurvey
from .technology.folder import MANIFEST, describe_folder, with_models
from .technology.locate import find_models
from .technology.schema import Technology, faults
from .technology.toml_tables import Models

_HOME = "gaincell_char"
D = TypeVar("D", Circuit, Head)
DEFAULT_TECHNOLOGY = "gc28"
DEFAULT_HEAD = "attention"


def circuit_names() -> tuple[str, ...]:
    """Every circuit that can be loaded, sorted."""
    return tuple(circuit_modules())


def load_circuit(name: str) -> Circuit:
    """Return the circuit declared in ``circuits/<name>.py``, or in the folder of its family.

    Raises
    ------
    ParameterError
        If there is none of that name.
    RequestError
        If the file declares something else.
    """
    return _declared(circuit_modules(), "CIRCUIT", Circuit, name)


def head_names() -> tuple[str, ...]:
    """Every attention head that can be loaded, sorted."""
    return tuple(head_modules())


def load_head(name: str) -> Head:
    """Return the head declared in ``circuits/heads/<name>.py``.

    Raises
    ------
    ParameterError
        If there is none of that name.
    RequestError
        If the file declares something else.
    """
    return _declared(head_modules(), "HEAD", Head, name)


def _declared(modules: Mapping[str, str], variable: str, kind: type[D], name: str) -> D:
    """Return the declaration of a module, or raise `RequestError` if it has the wrong type or another name."""
    if name not in modules:
        raise ParameterError(f"no {kind.__name__.lower()} {name!r}; have {', '.join(modules)}")
    module = modules[name]
    found = getattr(importlib.import_module(module), variable, None)
    if not isinstance(found, kind) or found.name != name:
        file = f"{module.removeprefix(f'{_HOME}.').replace('.', '/')}.py"
        raise RequestError(f"{file}: {variable} must be a {kind.__name__} named {name!r}")
    return found


def technology_names() -> tuple[str, ...]:
    """Every built-in technology, sorted."""
    root = Path(str(files(f"{_HOME}.netlists"))) / "tech"
    return tuple(sorted(p.parent.name for p in root.glob("*/technology.toml")))


def load_technology(name: str = DEFAULT_TECHNOLOGY) -> Technology:
    """Return a built-in technology by name, or any other by the path of its folder, which is read again every time.

    Raises
    ------
    TechnologyError
        If there is none of that name, its files contradict each other, or model files are missing.
    """
    return load_builtin(name) if name in technology_names() else _load(name)


@cache
def load_builtin(name: str) -> Technology:
    """Return a built-in technology, read once."""
    return _load(name)


load_technology.cache_clear = load_builtin.cache_clear  # type: ignore[attr-defined]


def _load(name: str) -> Technology:
    return with_models(describe_technology(name), _folder(name), name)


def _folder(name: str) -> Path:
    """Folder of a technology, built in or by its path."""
    builtin = Path(str(files(f"{_HOME}.netlists"))) / "tech" / name
    folder = builtin if name in technology_names() else Path(name)
    try:
        there = (folder / MANIFEST).exists()
    except (OSError, ValueError):  # a name too long for a file, or one with a zero byte
        there = False
    if not there:
        raise TechnologyError(
            f"no technology {untrusted.shown(name)}; have {', '.join(technology_names())}, or give a folder with a "
            f"{MANIFEST}"
        )
    return folder


def describe_technology(name: str) -> Technology:
    """A technology without its foundry model files, which need not be installed."""
    return describe_folder(_folder(name), _base_text, lambda it: faults(it, circuit_names(), load_circuit))


def _base_text(name: str, manifest: Path) -> str:
    """SPICE text of the technology that another one builds on."""
    if name not in technology_names():
        raise TechnologyError(
            f"{manifest}: base: no built-in technology {name!r}; have {', '.join(technology_names())}"
        )
    base = describe_technology(name)
    if base.base or base.models or base.veriloga or base.osdi:
        raise TechnologyError(
            f"{manifest}: base: {base.name} needs model files or compiled models; only its text can be shared"
        )
    return base.text


def technology_models(name: str) -> Models | None:
    """Model files outside the technology, as its technology.toml declares them; None if it needs none."""
    return describe_technology(name).models


def model_folder(name: str) -> Path | None:
    """Folder with a technology's model files; None if they are not there, or it needs none."""
    models = technology_models(name)
    return None if models is None else find_models(_folder(name), models)


def load_netlist(circuit: str) -> Netlist:
    """Return ``netlists/<circuit>.cir``."""
    path = Path(str(files(f"{_HOME}.netlists"))) / f"{circuit}.cir"
    return read_netlist_file(path, "netlists", where=path.name)


def plan_bench(
    circuit: str,
    bench: str,
    *,
    technology: str | Path | Technology = DEFAULT_TECHNOLOGY,
    netlist: object = None,
    **request: Any,
) -> SweepPlan:
    """Lay out the grid of a bench by names; `request` is that of `make_plan`.

    Parameters
    ----------
    circuit, bench : str
        Names of the circuit and of one of its benches.
    technology : str or Technology
        Its name, the path of its folder, or the technology itself.
    netlist : Path, Netlist, str or PySpice Circuit, optional
        Subcircuit to use instead of the circuit's own: a file, SPICE text, or anything whose ``str()`` is.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value has the wrong type or is out of range.
    """
    if not isinstance(technology, str | Path | Technology):
        raise ParameterError(f"technology is of type {type(technology).__name__}; it must be a name or a path")
    if isinstance(netlist, Netlist):
        own = netlist
    elif isinstance(netlist, Path):
        own = read_netlist_file(netlist)
    else:
        own = load_netlist(circuit) if netlist is None else read_netlist(str(netlist))
    loaded = technology if isinstance(technology, Technology) else load_technology(str(technology))
    return make_plan(load_circuit(circuit), bench, loaded, own, **request)


def load_random(record: Record, model: str, /, **conditions: float | str) -> RandomCircuits:
    """Return a model with random coefficients from the record of a Monte Carlo campaign.

    Parameters
    ----------
    record : Record
        From `load_record` or `read_record`.
    model : str
        Name of the random model.
    conditions
        Corner and temperature of the campaign (``corner="tt", temp=27.0``).

    Raises
    ------
    DataError
        If the record contains none of that name at the conditions.

    Where the circuit declares another random model for the parameters of the record, that one is returned.
    """
    circuit = _circuit_of(record)
    spread = check_record(record, circuit).spread
    fits = spread.random if spread else []
    if model not in [fit.model for fit in fits]:
        model = circuit.random_stand_in(record.bench, model, record.parameters)
    for fit in fits:
        if fit.model == model and conditions.items() <= fit.conditions.items():
            own = random_model(record, circuit, fit)
            nominal = record.fit(fit.nominal, **fit.conditions)
            return RandomCircuits(fit=fit, nominal=nominal, model=own)
    have = "; ".join(f"{f.model} at {f.conditions}" for f in fits) or "none"
    raise DataError(f"record {record.circuit}.{record.study}: no random model {model} at {conditions}; have {have}")


def record_names(technology: str = DEFAULT_TECHNOLOGY) -> tuple[str, ...]:
    """Every packaged record of a technology, as ``<circuit>.<study>``."""
    if technology not in record_sets():
        return ()
    folder = Path(str(files(f"{_HOME}.fits"))) / technology
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def load_record(technology: str, name: str) -> Record:
    """Return the packaged record ``fits/<technology>/<name>.json``; `name` is ``<circuit>.<study>``.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    if name not in record_names(technology):
        raise DataError(f"no record {name!r} for {technology!r}; have {', '.join(record_names(technology)) or 'none'}")
    return checked_record(Path(str(files(f"{_HOME}.fits"))) / technology / f"{name}.json")


Records = str | Path | RecordsAt
"""A packaged set of records by name, a folder of records by path, or one of them at another condition."""


def find_record(records: Records, name: str) -> Record:
    """Return ``<circuit>.<study>`` from a packaged technology by name, or from a folder of records by path.

    Raises
    ------
    DataError
        If there is none of that name, or none at the condition of `records_at`.
    ParameterError
        If the condition of `records_at` is outside the range of the fits.
    """
    if isinstance(records, RecordsAt):
        base = records.base
        found = find_record(base, name)
        return record_at(found, _circuit_of(found), lambda other: find_record(base, other), records.condition)
    if str(records) in record_sets():
        return load_record(str(records), name)
    folder = Path(records)
    try:
        there = folder.is_dir()
    except (OSError, ValueError):  # a name too long for a file, or one with a zero byte
        there = False
    if not there:
        raise DataError(f"no records {str(records)!r}; have {', '.join(record_sets())}, or give a folder of records")
    path = folder / f"{name}.json"
    if not path.is_file():
        raise DataError(f"{folder} contains no record {name}.json; gaincell run --records {folder} writes it")
    return checked_record(path, folder)


def checked_record(path: Path | str, below: Path | None = None) -> Record:
    """Read a record from a file and compare it with the declaration of its circuit.

    Parameters
    ----------
    below : Path, optional
        A folder of records, out of which no link may lead.

    Raises
    ------
    DataError
        If there is no such file, it contains no record, it is a link out of its folder, or the record does not agree
        with its circuit.
    """
    record = read_record(path, below)
    return check_record(record, _circuit_of(record))


def _circuit_of(record: Record) -> Circuit:
    try:
        return load_circuit(record.circuit)
    except ParameterError as error:
        raise DataError(f"record {record.circuit}.{record.study}: {error}") from None


def record_sets() -> tuple[str, ...]:
    """Every packaged set of records, sorted."""
    root = Path(str(files(f"{_HOME}.fits")))
    return tuple(sorted({path.parent.name for path in root.glob("*/*.json")}))


def load_steps(technology: str, circuit: str, bench: str) -> StepControlSurvey | None:
    """Return the survey of step control in ``fits/<technology>/steps/``; None if there is none.

    `technology`, `circuit` and `bench` are names.  A survey made with another version of the technology's files is
    ignored.
    """
    path = Path(str(files(f"{_HOME}.fits"))) / technology / "steps" / f"{circuit}.{bench}.json"
    if technology not in technology_names() or not path.is_file():
        return None
    found = StepControlSurvey.from_json(untrusted.read_text(path, "step control"), str(path))
    return found if found.technology_digest == load_technology(technology).digest else None


def load_model(record: Record, model: str, /, **conditions: float | str) -> FittedModel:
    """Return a model of a record, ready to be called.

    Parameters
    ----------
    record : Record
        From `load_record` or `read_record`.
    model : str
        Name of the model.
    conditions
        Where it was fitted (``corner="tt", temp=85.0``); the first fit that matches is taken.

    Where the circuit declares another model instead for the parameters of the record, that one is returned.
    """
    circuit = _circuit_of(record)
    found = check_record(record, circuit)
    if model not in [fit.model for fit in found.fits] and model in [own.name for own in circuit.models]:
        model = circuit.stand_in(circuit.model(model), record.parameters).name
    fit = found.fit(model, **conditions)
    return FittedModel(fit=fit, function=circuit.model(fit.model))
