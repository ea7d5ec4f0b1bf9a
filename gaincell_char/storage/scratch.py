"""Temporary folders, removed at the end of their process; folders of a killed process are removed by a later one."""

import atexit
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Self

from ..errors import StorageError

_WORK, _NEW = ".gaincell-work-", ".gaincell-new-"
_LOCK = "lock"
_YOUNG_S = 60.0


class Scratch:
    """A temporary folder with the lifetime of the object; a lock marks it as in use for other processes.

    Parameters
    ----------
    within : Path, optional
        Parent folder; the system's temporary folder by default.

    Raises
    ------
    StorageError
        If no temporary folder can be written.
    OSError
        If `within` cannot be written.
    """

    def __init__(self, within: Path | None = None) -> None:
        self._lock = -1
        self.path = made = Path(tempfile.mkdtemp(prefix=_NEW, dir=within or temporary_folder()))
        _OPEN.add(self)
        self._lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # on a file system without locks only this process removes it
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Locked before it gets its final name, so no process considers it abandoned.
        self.path = made.rename(made.with_name(_WORK + made.name.removeprefix(_NEW)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder and its content; may be called repeatedly."""
        shutil.rmtree(self.path, ignore_errors=True)
        _OPEN.discard(self)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


# The folders of this process, removed at its end.
_OPEN: set[Scratch] = set()


@atexit.register
def remove_all() -> None:
    """Remove every folder of this process."""
    for scratch in list(_OPEN):
        scratch.remove()


def temporary_folder() -> Path:
    """The system's folder for temporary files.

    Raises
    ------
    StorageError
        If no such folder can be written.
    """
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise StorageError(
            f"no folder for temporary files can be written ({error.strerror}); set TMPDIR to a writable folder"
        ) from None


def remove_leftovers(folder: Path | None = None) -> None:
    """Remove temporary folders left behind by killed processes of this user.

    Parameters
    ----------
    folder : Path, optional
        The system's temporary folder by default.
    """
    with contextlib.suppress(OSError):
        for path in (folder or temporary_folder()).iterdir():
            if path.name.startswith((_WORK, _NEW)):
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError):
        about = path.lstat()
        if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and _is_abandoned(path, about.st_mtime):
            shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: Path, changed: float) -> bool:
    if path.name.startswith(_NEW):
        return time.time() - changed > _YOUNG_S
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - changed > _YOUNG_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
