"""Starts the processes of simulators: forked, where that is safe, from one that has loaded Python and its libraries.

A start takes 0.2 s of a core, most of it for the imports; a fork of a process that has done them takes 0.01 s, and is
as fresh: that process never simulates.  It lives as long as a simulator does that it forked.
"""

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO, Protocol

from ..storage.child import command

_LOOK_S = 0.05
"""Longest time [s] until a thread that waits for the end of a process looks again."""
_FORK_TIMEOUT_S = 60.0
# Other systems' libraries do not take a fork without a start of a program.
_FORKS = sys.platform == "linux"
# What is read when a process starts, and not again: with other values of these, a simulator is started and not forked.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "GLIBC_", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "BLIS_")


class Child(Protocol):
    """A simulator's process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Number of the process."""
        ...

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        ...

    def wait(self) -> int:
        """Wait until it has ended, and return how."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...


def start_worker(connection: int, directory: Path, errors: IO[bytes], environment: dict[str, str]) -> Child:
    """Start a simulator's process.

    Parameters
    ----------
    connection : int
        Descriptor that it answers on.
    directory : Path
        Where it works.
    errors : file
        What it writes to standard output and standard error.
    environment : dict
        Its environment variables.

    Raises
    ------
    OSError
        If the system starts no process.
    """
    if _FORKS:
        with contextlib.suppress(OSError, EOFError):
            return _SHARED.fork((connection, errors.fileno()), directory, environment)
    # Its own session: Ctrl-C reaches the parent alone, which decides what to keep.
    return subprocess.Popen(
        command("spice.worker", connection, directory, os.getpid()),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=errors,
        stderr=errors,
        pass_fds=(connection,),
        start_new_session=True,
    )


class _Forked:
    """A process whose parent is not this one, but one that says how it ended."""

    def __init__(self, pid: int, status: Connection) -> None:
        self.pid = pid
        self._status = status
        self._lock = threading.Lock()
        self._ended: int | None = None

    def poll(self) -> int | None:
        return self._how_it_ended()

    def wait(self) -> int:
        while (ended := self._how_it_ended()) is None:
            # Another thread may hear of the end and close the connection meanwhile, which wakes nobody.
            with contextlib.suppress(OSError):
                self._status.poll(_LOOK_S)
        return ended

    def kill(self) -> None:
        if self._how_it_ended() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _how_it_ended(self) -> int | None:
        with self._lock:
            if self._ended is None and self._status.poll():
                try:
                    self._ended = int(self._status.recv())
                except (EOFError, OSError):  # its parent ended, and it with it
                    self._ended = -signal.SIGKILL
                self._status.close()
                _SHARED.release()
            return self._ended


class _Preloaded:
    """A process that has loaded what a simulator needs, and forks."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        started: Future[None] = Future()
        # The kernel ends a child with the thread that started it, and this one lives as long as the process.
        threading.Thread(target=self._live, args=(theirs, started), daemon=True).start()
        started.result()

    def fork(self, descriptors: tuple[int, int], directory: Path, environment: dict[str, str]) -> _Forked:
        ours, theirs = Pipe(duplex=False)
        with theirs:
            message = pickle.dumps((str(directory), environment))
            socket.send_fds(self._control, [message], [*descriptors, theirs.fileno()])
        if not ours.poll(_FORK_TIMEOUT_S):
            raise EOFError
        return _Forked(ours.recv(), ours)

    def close(self) -> None:
        self._control.close()

    def _live(self, theirs: socket.socket, started: "Future[None]") -> None:
        try:
            process = subprocess.Popen(
                command("spice.worker", theirs.fileno(), os.getpid()),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException as error:
            started.set_exception(error)
            return
        finally:
            theirs.close()
        started.set_result(None)
        process.wait()


class _Shared:
    """The one that all simulators of this process are forked from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._preloaded: _Preloaded | None = None
        self._users = 0

    def fork(self, descriptors: tuple[int, int], directory: Path, environment: dict[str, str]) -> _Forked:
        """Fork one more; `OSError` or `EOFError` if that is not possible."""
        with self._lock:
            if self._preloaded is None:
                self._preloaded = _Preloaded(environment)
            if _at_start(environment) != _at_start(self._preloaded.environment):
                raise OSError("it was started with other environment variables")
            try:
                forked = self._preloaded.fork(descriptors, directory, environment)
            except (OSError, EOFError):
                self._close()
                raise
            self._users += 1
            return forked

    def release(self) -> None:
        """One has ended; with the last one, so does the process that they came from."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._close()

    def _close(self) -> None:
        if self._preloaded is not None:
            self._preloaded.close()
            self._preloaded = None

    def forget(self) -> None:
        """In a copy of this process: the simulators are its parent's."""
        self._close()
        self._lock, self._users = threading.Lock(), 0  # the thread with the lock may be in the parent alone


def _at_start(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


_SHARED = _Shared()
os.register_at_fork(after_in_child=_SHARED.forget)
