"""Temporary folders that end with their process; those of a process that was killed are removed by the next one."""

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
    """A folder for as long as the object lives; its lock shows other processes that it is in use.

    Parameters
    ----------
    within : Path, optional
        Where to make it; the system's temporary folder by default.

    Raises
    ------
    StorageError
        If there is no temporary folder that can be written.
    OSError
        If `within` cannot be written.
    """

    def __init__(self, within: Path | None = None) -> None:
        self._lock = -1
        self.path = made = Path(tempfile.mkdtemp(prefix=_NEW, dir=within or temporary_folder()))
        _OPEN.add(self)
        self._lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody removes it but we
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under its final name it is locked already, so nobody takes it for abandoned.
        self.path = made.rename(made.with_name(_WORK + made.name.removeprefix(_NEW)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder and what is in it; once more does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        _OPEN.discard(self)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


# The folders of this process, which end with it.
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
        If none can be written.
    """
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise StorageError(
            f"no folder for temporary files can be written ({error.strerror}); set TMPDIR to one that can"
        ) from None


def remove_leftovers(folder: Path | None = None) -> None:
    """Remove what processes of this user left in a folder when they were killed.

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
