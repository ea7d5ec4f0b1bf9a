"""The child process: one ngspice session that simulates decks and batches and returns outcomes.

Its arguments are FD DIRECTORY PARENT; only `pool` starts it.
"""

import logging
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from ..errors import NgspiceMissingError
from ..storage.child import die_with, keep_to, physical_memory
from .batch import Batch
from .ngspice import Session

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


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
