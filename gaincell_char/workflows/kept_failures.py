"""Decks and logs of failed points, written to a folder."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import RequestError, StorageError
from ..storage import tables
from ..sweeping.run import Failure


def keep_failures(failures: Sequence[Failure], folder: Path) -> Path:
    """Write decks and logs of failures to `folder`, or to a temporary folder if that fails; return the folder."""
    try:
        return _keep(failures, folder)
    except (OSError, RequestError, StorageError):  # the disk is full, or something else has that name
        return _keep(failures, Path(tempfile.mkdtemp(prefix="gaincell-failed-")))


def _keep(failures: Sequence[Failure], folder: Path) -> Path:
    tables.make_inside(folder.parent, folder.name)
    for number, failure in enumerate(failures, start=1):
        name = failure.name or str(number)
        tables.write_text(folder / f"{name}.cir", failure.deck)
        log = folder / f"{name}.log"
        # The log of a point that failed in an earlier call already exists.
        if failure.log or not failure.name or not log.exists():
            tables.write_text(log, f"{failure.reason}\n{failure.log}\n")
    return folder
