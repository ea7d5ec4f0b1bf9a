"""Records by which a technology is compared: of a run, of campaigns beside them, and packaged ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from .. import registry
from ..errors import DataError, RequestError
from ..fitting.record import Record, read_record
from ..storage.untrusted import printable, shown
from ..sweeping.run import as_folder

PACKAGED = "packaged record"
"""Origin of a value of a run's technology whose record is not in the folder of the run."""
CAMPAIGN_RECORD = "record.json"
_RECORDS = "records"


class LackingRecordError(DataError):
    """The records of a technology lack what a figure of merit needs.

    Attributes
    ----------
    how : str
        The command that makes it; empty if there is none.
    """

    def __init__(self, message: str, how: str = "") -> None:
        super().__init__(message)
        self.how = how


@dataclass(frozen=True, kw_only=True)
class TechnologyRecords:
    """Where the records of one technology are.

    Attributes
    ----------
    name : str
        Name of the technology.
    tech : str
        What ``--tech`` takes: the name or the folder, or PATH if the folder is not known.
    folder : Path, optional
        Folder of a run; its records are in ``records/``, those of a campaign in ``<circuit>.<study>/``.  None for a
        packaged set.
    failure : str
        Why the technology was not, or not completely, characterized; empty otherwise.
    """

    name: str
    tech: str
    folder: Path | None = None
    failure: str = ""
    _read: dict[str, tuple[Record, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def records_folder(self) -> Path | None:
        """Folder of the records themselves: ``records/`` of a run, or the folder of a set of records."""
        if self.folder is None:
            return None
        inside = self.folder / _RECORDS
        return inside if inside.is_dir() else self.folder

    def show_place(self, inner: str = "") -> str:
        """Folder for results of this technology, or `inner` in it, for a command: that of the run, or a proposal."""
        return quote(printable(((self.folder or Path("results") / self.name) / inner).as_posix()))

    def find(self, name: str) -> tuple[Record, str]:
        """Return a record and its origin, `PACKAGED` or empty.

        Parameters
        ----------
        name : str
            Circuit and study, ``<circuit>.<study>``.

        Raises
        ------
        DataError
            If there is none, it cannot be read, or it is of another technology.
        """
        if name not in self._read:
            self._read[name] = self._find(name)
        return self._read[name]

    def _find(self, name: str) -> tuple[Record, str]:
        if self.folder is None:
            if name in registry.record_names(self.name):
                return registry.load_record(self.name, name), ""
        elif (path := self._path(name)) is not None:
            record = registry.checked_record(path, self.folder)
            there = f"{record.circuit}.{record.study}"
            if (record.technology, there) != (self.name, name):
                raise DataError(f"{printable(str(path))} is the record {there} of technology {record.technology}")
            return record, ""
        elif (packaged := self._packaged(name)) is not None:
            return packaged, PACKAGED
        raise LackingRecordError(f"no record {name}")

    def _path(self, name: str) -> Path | None:
        """File of a record in the folder of the run."""
        assert self.folder is not None and self.records_folder is not None  # noqa: S101, PT018  as called
        places = (self.records_folder / f"{name}.json", self.folder / name / CAMPAIGN_RECORD)
        return next((path for path in places if path.is_file()), None)

    def _packaged(self, name: str) -> Record | None:
        """Packaged record of the same technology files as those of the run, if there is one."""
        if name not in registry.record_names(self.name):
            return None
        found = registry.load_record(self.name, name)
        own = self.read_first()
        same = own is not None and own.provenance.technology_digest == found.provenance.technology_digest
        return found if same else None

    def read_first(self) -> Record | None:
        """Return the first record of the technology that can be read; None if there is none."""
        if self.folder is None:
            names = registry.record_names(self.name)
            return registry.load_record(self.name, names[0]) if names else None
        return next((record for record in self._read_all() if record.technology == self.name), None)

    def _read_all(self) -> Iterator[Record]:
        """Records in the folder; files that cannot be read are left out."""
        folder = self.records_folder
        for path in sorted(folder.glob("*.json")) if folder is not None else ():
            try:
                yield read_record(path, folder)
            except DataError:
                continue


def find_technology_records(source: Path | str) -> TechnologyRecords:
    """Find the records of a technology: a packaged set by name, or the folder of a run or of records by path.

    Raises
    ------
    RequestError
        If there is none, or the folder has no record that can be read.
    """
    text = str(source)
    if text in registry.record_sets():
        return TechnologyRecords(name=text, tech=text)
    folder = as_folder(source)
    found = TechnologyRecords(name="", tech="", folder=folder)
    try:
        there = folder.is_dir()
    except (OSError, ValueError):  # a name too long for a file, or one with a zero byte
        there = False
    if not there:
        raise RequestError(
            f"no records {shown(text)}; have {', '.join(registry.record_sets())}, or give a folder of gaincell run"
        )
    name = _technology_of(found)
    return TechnologyRecords(name=name, tech=name if name in registry.technology_names() else "PATH", folder=folder)


def _technology_of(found: TechnologyRecords) -> str:
    """Technology that the records of a folder state."""
    folder = found.records_folder
    problem = ""
    for path in sorted(folder.glob("*.json")) if folder is not None else ():
        try:
            if name := read_record(path, folder).technology:
                return name
        except DataError as error:
            problem = problem or str(error)
    raise RequestError(
        f"{printable(str(folder))} contains no record that states a technology; give a folder of gaincell run"
        f"{f' ({problem})' if problem else ''}"
    )
