"""The child process: one ngspice session that answers decks and batches with outcomes.

Run as ``python -P -m gaincell_char.worker FD DIRECTORY PARENT``; only `pool` starts it.
"""

import logging
import os
import resource
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from .batch import Batch
from .errors import NgspiceMissingError
from .ngspice import Session

_LARGEST_FILE = 256 * 2**20


def main(descriptor: int, directory: str, parent: int) -> None:
    """Serve lists of decks, and batches, until the parent hangs up."""
    logging.disable(logging.CRITICAL)  # PySpice logs a warning for every ngspice newer than 2021
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
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


def _die_with(parent: int) -> None:
    """End this process soon after its parent, even from inside a run that never ends."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
