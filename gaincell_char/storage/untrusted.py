"""Rules for untrusted files (names, texts, numbers, sizes), and the function that opens them.

A record, a technology, a netlist, a table, a campaign folder or a saved array may come from an untrusted source.  All
readers use these limits and rules; docs/security.md describes the effects that each kind of file can have.
"""

import json
import math
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import DataError, RequestError

MIB = 2**20
MOST_RECORD = 64 * MIB
"""Largest record, step-control survey, campaign manifest or other JSON file [B]."""
MOST_TECHNOLOGY = 4 * MIB
"""Largest ``technology.toml`` [B]."""
MOST_NETLIST = 64 * MIB
"""Largest netlist or model file, and largest total of its includes [B]."""
MOST_TABLE = 1024 * MIB
"""Largest table, shard or file of tensors [B]."""
LONGEST_NAME = 128
LONGEST_TEXT = 100_000
LONGEST_SHOWN = 60

_NAME = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}")
_LABEL = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,{LONGEST_NAME - 1}}}")
_SOURCE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.+ -]{{0,{LONGEST_NAME - 1}}}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_ELEMENT = re.compile(rf"[\w.:#+-]{{1,{LONGEST_NAME}}}", re.ASCII)


def printable(text: str) -> str:
    """`text` on one line, with control characters, line separators and unprintable characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def shown(text: str) -> str:
    """`text` as quoted in messages: printable, in quotation marks, and cut to one line."""
    cut = text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
    return f"'{printable(cut)}'"


def check_name(text: str) -> str:
    """Return an identifier, or raise `ValueError`: letters, digits and underscores, not beginning with a digit."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a name; use letters, digits and _, at most {LONGEST_NAME}")
    return text


def check_label(text: str) -> str:
    """Return the name of a study, corner or technology, or raise `ValueError`; may also contain ``.+-``."""
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a name; use letters, digits and _.+-, at most {LONGEST_NAME}")
    return text


def check_source(text: str) -> str:
    """Return a source of data (technology, chip, laboratory), or raise `ValueError`; may also contain blanks."""
    if not _SOURCE.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a name; use letters, digits, blanks and _.+-, at most {LONGEST_NAME}")
    return text


def check_element(text: str) -> str:
    """Return the name of an element, a node or a model in a netlist, or raise `ValueError`."""
    if not _ELEMENT.fullmatch(text):
        raise ValueError(
            f"{shown(text)} is not a name of an element, a node or a model; "
            f"use letters, digits and _.:#+-, at most {LONGEST_NAME}"
        )
    return text


def check_text(text: str) -> str:
    """Return a text on one line, or raise `ValueError` if it contains a control character or a line separator."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"the text has {len(text)} characters; the maximum is {LONGEST_TEXT}")
    if not text.isprintable():
        at, odd = next((i, c) for i, c in enumerate(text) if not c.isprintable())
        raise ValueError(f"the text contains the unprintable character U+{ord(odd):04X} at position {at + 1}")
    return text


def check_relative(text: str) -> str:
    """Return a relative path of plain names, or raise `ValueError` if it could leave its folder."""
    parts = PurePosixPath(text).parts
    if not parts or any(not _FILE.fullmatch(part) for part in parts):
        raise ValueError(f"{shown(text)} is not a path below its folder; use plain names separated by /")
    return text


ABSOLUTE_ZERO = -273.15
"""Lowest temperature [degC]."""


def read_bytes(
    path: Path, what: str, *, most: int = MOST_RECORD, error: type[RequestError] = DataError, below: Path | None = None
) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        Kind of file, for errors, for example ``"record"``.
    most : int
        Largest size [B].
    error : type
        Class of the error.
    below : Path, optional
        An untrusted folder; a link out of it is rejected.

    Raises
    ------
    RequestError
        Of the class `error`: if the file does not exist, is a folder, a pipe or a device, cannot be read, is too
        large, or is outside `below`.
    """
    try:
        if below is not None and not path.resolve().is_relative_to(below.resolve()):
            raise error(f"{what} {printable(str(path))} is a link out of its folder; replace it by the file itself")
        # Without O_NONBLOCK, opening a named pipe would block.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = file.read(most + 1) if regular else b""
    except OSError as failure:
        raise error(f"{what} {printable(str(path))} cannot be read: {failure.strerror}") from None
    except RequestError:
        raise
    except RuntimeError:  # of Path.resolve, before Python 3.13
        raise error(f"{what} {printable(str(path))} cannot be read: a link leads to itself") from None
    except ValueError as failure:  # a zero byte in the path
        raise error(f"{what} {printable(str(path))} cannot be read: {failure}") from None
    if not regular:
        raise error(f"{what} {printable(str(path))} cannot be read: not a file")
    if len(data) > most:
        raise error(f"{what} {printable(str(path))} is larger than the maximum of {most / MIB:g} MiB")
    return data


def read_text(
    path: Path, what: str, *, most: int = MOST_RECORD, error: type[RequestError] = DataError, below: Path | None = None
) -> str:
    """Return the content of a text file in UTF-8.

    Parameters `path`, `what`, `most`, `error`, `below` and errors are as of `read_bytes`.
    """
    try:
        return read_bytes(path, what, most=most, error=error, below=below).decode("utf-8")
    except UnicodeDecodeError as failure:
        raise error(f"{what} {printable(str(path))} is not text: byte {failure.start + 1} is not UTF-8") from None


def parse_json(text: str, where: str) -> Any:
    """Parse a JSON text; `where` names the file in errors.

    Raises
    ------
    DataError
        If the text is not JSON, contains a number that is not finite, or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise DataError(f"{where}: JSON is nested too deeply") from None
    except ValueError as error:
        raise DataError(f"{where}: not JSON: {printable(str(error))}") from None


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{shown(text)} is too large for a floating-point number")
    return value
