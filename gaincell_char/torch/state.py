"""An array on disk: tensors as safetensors, everything else as JSON, with copies of its records."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save
from torch import Tensor

from ..declare.periphery import Periphery
from ..errors import DataError, ParameterError
from ..registry import find_record, load_head
from ..storage import untrusted
from ..storage.schema_fields import Finite, Name, complaint
from ..storage.tables import make_folder, make_inside, shown_path, write_bytes, write_text
from .array import GainCellArray
from .bitline import MOST_SLICES, Bitline
from .elements import choose_model
from .files import read_tensors
from .noise import RECORD

SCHEMA_VERSION = 1
_TENSORS, _ABOUT, _RECORDS = "state.safetensors", "array.json", "records"


def save_array(array: GainCellArray, folder: Path | str) -> None:
    """Write an array to a folder: ``state.safetensors``, ``array.json``, and its records in ``records/``.

    Raises
    ------
    RequestError
        If the folder cannot be written.
    """
    folder = Path(folder)
    make_folder(folder)
    make_inside(folder, _RECORDS)
    tensors = {name: tensor.contiguous() for name, tensor in array.state_dict().items()}
    write_bytes(folder / _TENSORS, save(tensors))
    for name in _needed(array):
        write_text(folder / _RECORDS / f"{name}.json", find_record(array.records, name).to_json())
    about = {
        "schema_version": SCHEMA_VERSION,
        "head": array.head,
        "form": array.form,
        "bitline": asdict(array.bitline),
        "periphery": None if array.periphery is None else asdict(array.periphery),
        "read_noise": array.read_noise,
        "gradient": array.cell.gradient,
        "outside": array.cell.outside,
        "random": array.random is not None,
    }
    write_text(folder / _ABOUT, json.dumps(about, indent=1) + "\n")


class _Bitline(BaseModel):
    """A `Bitline` in JSON."""

    model_config = ConfigDict(extra="forbid")

    kind: Name
    r_clamp: Finite
    c_bl: Finite
    slices: Annotated[int, Field(ge=1, le=MOST_SLICES)]


class _Periphery(BaseModel):
    """A `Periphery` in JSON."""

    model_config = ConfigDict(extra="forbid")

    r_driver: Finite
    r_wire: Finite
    r_supply: Finite


class _ArrayFile(BaseModel):
    """``array.json``."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1]
    head: Name
    form: Name
    bitline: _Bitline
    periphery: _Periphery | None = None
    read_noise: Finite | Literal["record"]
    gradient: Name
    outside: Name
    random: bool


def load_array(folder: Path | str) -> GainCellArray:
    """Load an array from a folder written by `save_array`.

    Raises
    ------
    DataError
        If the folder contains no array, has another schema version, or its files contradict each other.
    """
    folder = Path(folder)
    where = shown_path(folder / _ABOUT)
    raw = untrusted.parse_json(untrusted.read_text(folder / _ABOUT, "array", below=folder), where)
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise DataError(f"{where}: schema version {version!r:.40}; this package reads version {SCHEMA_VERSION}")
    tensors = read_tensors(folder / _TENSORS)
    try:
        about = _ArrayFile.model_validate(raw)
        return _array(about, tensors, folder / _RECORDS)
    except ValidationError as error:
        raise DataError(f"{where}: {complaint(error)}") from None
    except (ParameterError, RuntimeError) as error:
        said = untrusted.printable(" ".join(str(error).split()))
        raise DataError(f"{where}: the files of the array contradict each other: {said}") from None


def _array(about: _ArrayFile, tensors: dict[str, Tensor], records: Path) -> GainCellArray:
    if "v_store" not in tensors:
        raise DataError(f"{shown_path(records.parent / _TENSORS)} contains no tensor v_store")
    array = GainCellArray(
        tensors["v_store"],
        records=records,
        head=about.head,
        form=about.form,
        read_noise=about.read_noise,
        gradient=about.gradient,
        outside=about.outside,
        bitline=Bitline(**dict(about.bitline)),
        periphery=None if about.periphery is None else Periphery(**dict(about.periphery)),
    )
    if about.random:
        array.sample_mismatch()
    array.load_state_dict(tensors)
    return array


def _needed(array: GainCellArray) -> list[str]:
    """Names of the records an array is built from."""
    head = load_head(array.head)
    names = [f"{head.cell}.{choose_model(head.forms, array.form).study}"]
    names += [f"{head.operations[0].converter}.{next(iter(head.operations[0].forms.values())).study}"]
    moving = array.bitline.kind != "ideal" or array.periphery is not None
    names += [f"{head.cell}.{head.sliced.study}"] if moving else []
    names += [f"{head.cell}.{head.sag.study}"] if array.periphery is not None and head.sag else []
    names += [f"{head.cell}.{head.random.study}"] if array.random is not None else []
    names += [f"{head.cell}.{head.noise.study}"] if array.read_noise == RECORD and head.noise else []
    return names
