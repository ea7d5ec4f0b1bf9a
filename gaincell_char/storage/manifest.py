"""``campaign.json``: which campaign or comparison a folder contains, and whether it is the one that is asked for."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError, RequestError, StorageError
from . import untrusted
from .schema_fields import Name, Text, complaint
from .tables import check_folder, explain_error, make_folder, make_inside, shown_path, write_atomically

MANIFEST, SHARDS = "campaign.json", "shards"
MOST_SAMPLES = 10_000_000
"""Largest number of samples of a campaign."""
_DIGEST = r"\A[0-9a-f]{16}\z"


class _Manifest(BaseModel):
    """``campaign.json`` as it stands on disk."""

    model_config = ConfigDict(extra="forbid")

    digest: Annotated[str, Field(pattern=_DIGEST)]
    source: Annotated[str, Field(pattern=_DIGEST)]
    simulator: Text
    n: Annotated[int, Field(ge=0, le=MOST_SAMPLES)]
    request: dict[Name, Any]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What ``campaign.json`` says.

    Attributes
    ----------
    digest : str
        Hash of everything that decides the results.
    source : str
        Hash of the source code among that, from `identity.source_digest`.
    simulator : str
        ``"ngspice 39"``; empty before it is known.
    n : int
        Samples that were asked for.
    request : mapping
        What the campaign was made from.
    """

    digest: str
    source: str
    simulator: str
    n: int
    request: Mapping[str, Any]

    def to_json(self) -> str:
        """Serialise; floats survive the round trip exactly."""
        said = asdict(self) | {"request": dict(self.request)}
        return json.dumps(said, indent=1) + "\n"


_REMEDY = "delete it, and run the same command again: points that are proved to be the same are kept"


def read_manifest(folder: Path) -> Manifest:
    """Read ``campaign.json``.

    Raises
    ------
    DataError
        If the folder contains no campaign, or one that cannot be read.
    """
    path = folder / MANIFEST
    try:
        missing = not path.exists()
    except (OSError, ValueError):
        missing = True
    if missing:
        raise DataError(f"{shown_path(folder)} contains no campaign: there is no {MANIFEST} in it")
    text = untrusted.read_text(path, "campaign", below=folder)
    try:
        raw = untrusted.parse_json(text, shown_path(path))
    except DataError as error:
        raise DataError(f"{error}; {_REMEDY}") from None
    if isinstance(raw, dict) and not {"source", "simulator"} <= raw.keys():
        raise DataError(
            f"{shown_path(path)} was written by an older version, which did not say what source code and which "
            "simulator it ran; choose another folder"
        )
    try:
        said = _Manifest.model_validate(raw)
    except ValidationError as error:
        raise DataError(f"{shown_path(path)} is damaged: {complaint(error)}; {_REMEDY}") from None
    return Manifest(**dict(said))


def check_campaign_folder(folder: Path, manifest: Manifest) -> None:
    """Refuse a folder that a campaign cannot be written to; makes nothing.

    Raises
    ------
    RequestError
        If it cannot be made or written, or contains another campaign; the message says what differs.
    """
    check_folder(folder)
    check_places(folder, *FOLDERS)
    if (folder / MANIFEST).exists():
        compare(folder, manifest)


_FILES = frozenset(
    (
        MANIFEST,
        "results.parquet",
        "draws.parquet",
        "record.json",
        "index.html",
        "compare.json",
        "inputs.npz",
        "run.json",
    )
)
FOLDERS = (SHARDS, "figures", "tables", "decks")
"""Folders in that of a campaign or comparison."""
_ENDINGS = frozenset((".csv", ".json", ".nc", ".png", ".svg", ".cir"))


def check_places(folder: Path, *names: str) -> None:
    """Refuse a folder of results in which a folder stands where a file has to go, or the other way round.

    Parameters
    ----------
    names : str
        Folders in it that results go to.

    Raises
    ------
    RequestError
        If one does, here or in one of the folders in it.
    """
    check_no_folders(folder, _FILES)
    for inner in (folder / name for name in names):
        if inner.exists() and not inner.is_dir():
            raise RequestError(
                f"{shown_path(inner)} is a file, and a folder has to go there; remove it, or choose another folder"
            )
        check_no_folders(inner)


def check_no_folders(folder: Path, names: Collection[str] = ()) -> None:
    """Raise `RequestError` if a folder in `folder` has one of these names; without names, the ending of a file."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path.name in names if names else path.suffix in _ENDINGS) and path.is_dir():
            raise RequestError(
                f"{shown_path(path)} is a folder, and a file has to go there; remove it, or choose another folder"
            )


def open_folder(folder: Path, manifest: Manifest) -> None:
    """Make a campaign's folder, or check that it contains this campaign.

    A folder with shards and without ``campaign.json`` is taken: the key of each row says what it is of.  The largest
    number of samples that was asked for stays there: fewer in one part of a campaign take nothing from the others.

    Raises
    ------
    RequestError
        If it cannot be made, or contains another campaign; the message says what differs.
    """
    check_campaign_folder(folder, manifest)
    make_folder(folder)
    make_inside(folder, SHARDS)
    there = read_manifest(folder).n if (folder / MANIFEST).exists() else 0
    write_whole(folder / MANIFEST, replace(manifest, n=max(manifest.n, there)).to_json().encode())


def compare(folder: Path, here: Manifest) -> None:
    """Raise `RequestError` unless a folder contains this campaign; the message says what differs."""
    there = read_manifest(folder)
    other_simulator = bool(here.simulator) and there.simulator != here.simulator
    if (there.digest, there.source) == (here.digest, here.source) and not other_simulator:
        return
    why_not = "; ".join(_differences(there.request, here.request))
    if not why_not and there.source != here.source:
        why_not = (
            "the source of this package or of the circuit's declaration has changed since, and "
            "old numbers are not mixed with new ones"
        )
    elif not why_not and other_simulator:
        why_not = f"it was simulated by {_short(there.simulator)}, and this is {here.simulator}"
    why_not = why_not or "the netlist, the technology or the records have changed since"
    raise RequestError(
        f"{shown_path(folder)} contains another campaign: {why_not}; choose another folder, or ask for the same"
    )


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for name in here:
        if here[name] != there.get(name):
            yield f"{name} is {_short(there.get(name))} there and {_short(here[name])} here"


def _short(value: object) -> str:
    text = untrusted.printable(str(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def write_whole(path: Path, data: bytes) -> None:
    """Write a file of a campaign's folder.

    Raises
    ------
    StorageError
        If it could not be written; the message says that nothing finished is lost.
    """
    try:
        write_atomically(path, lambda part: part.write_bytes(data))
    except OSError as error:
        advice = "make its folder again" if not path.parent.is_dir() else "make room"
        raise StorageError(
            f"{shown_path(path)} could not be written ({explain_error(error)}); what is finished is kept: {advice} and "
            "run the same again"
        ) from error
