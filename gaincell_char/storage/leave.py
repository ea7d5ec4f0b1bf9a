"""The end of a process that a signal asks for, where nothing is left to keep."""

import os
import signal
from typing import NoReturn


def leave(number: int) -> NoReturn:
    """Say why, and end this process with the exit status of a signal; nothing else is run."""
    os.write(2, b"\ngaincell: interrupted\n" if number == signal.SIGINT else b"gaincell: terminated\n")
    os._exit(128 + number)
