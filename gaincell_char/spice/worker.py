"""The child process: one ngspice session that simulates decks and batches and returns outcomes.

Its arguments are FD DIRECTORY PARENT; with FD PARENT it is a process that forks such children.  Only `preloaded` starts
it.
"""

import contextlib
import logging
import os
import pickle
import select
import signal
import socket
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from ..errors import NgspiceMissingError
from ..storage.child import die_with, keep_to, physical_memory
from .batch import Batch
from .ngspice import Session

_LARGEST_REQUEST = 2**20
_LARGEST_FILE = 256 * 2**20


def main(descriptor: int, directory: str, parent: int) -> None:
    """Simulate lists of decks, and batches, until the parent closes the connection.

    Parameters
    ----------
    descriptor : int
        File descriptor of the connection.
    directory : str
        Private working directory.
    parent : int
        Process id of the parent; the child ends with it.
    """
    logging.disable(logging.CRITICAL)  # PySpice logs a warning for every ngspice newer than 2021
    die_with(parent)
    keep_to(memory=physical_memory(), file=_LARGEST_FILE)
    connection = Connection(descriptor)
    try:
        session = Session(Path(directory))
    except (NgspiceMissingError, OSError, AttributeError) as error:  # the last: a library, but not ngspice
        connection.send(str(error))
        return
    connection.send(("ngspice", session.version))
    while True:
        try:
            work = connection.recv()
        except EOFError:
            return
        outcomes = work.outcomes(session) if isinstance(work, Batch) else map(session.run, work)
        for outcome in outcomes:
            connection.send(outcome)


def fork_on_request(control: socket.socket, parent: int) -> None:
    """Fork a child for every request, and tell how each ended, until the parent hangs up."""
    die_with(parent, watch=False)  # a thread is not for a process that forks
    forks: dict[int, Connection] = {}
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([control.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _tell_ended(forks)
        if control.fileno() in ready:
            request, descriptors, _, _ = socket.recv_fds(control, _LARGEST_REQUEST, 3)
            if not request:
                return
            _fork(request, descriptors, forks, (control.fileno(), ended, wake))


def _tell_ended(forks: dict[int, Connection]) -> None:
    while forks:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with forks.pop(pid) as told, contextlib.suppress(OSError):
            told.send(os.waitstatus_to_exitcode(status))


def _fork(request: bytes, descriptors: list[int], forks: dict[int, Connection], own: tuple[int, ...]) -> None:
    connection, errors, status = descriptors
    parent, pid = os.getpid(), os.fork()
    if not pid:
        _begin(errors, [*own, status, *(told.fileno() for told in forks.values())])
        _serve(connection, request, parent)
    os.close(connection)
    os.close(errors)
    forks[pid] = Connection(status, readable=False)
    with contextlib.suppress(OSError):
        forks[pid].send(pid)


def _begin(errors: int, others: list[int]) -> None:
    """Make a forked process as one that was started: a session, an output and descriptors of its own."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    for descriptor in (errors, *others):
        os.close(descriptor)


def _serve(connection: int, request: bytes, parent: int) -> NoReturn:
    try:
        directory, environment = pickle.loads(request)  # noqa: S301  from the process that started this one
        os.environ.clear()
        os.environ.update(environment)
        main(connection, directory, parent)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        fork_on_request(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    else:
        main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
