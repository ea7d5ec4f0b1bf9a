"""Escaping of record text in exported programs and tables, so that it cannot become code.

Records are checked when they are read.  This is a second check, for records created in Python and for characters
that are harmless in JSON but not in the target.
"""

from ..storage.untrusted import printable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escape_comment(text: str) -> str:
    """One line of plain ASCII without a control character, for a comment of any language."""
    return printable(text).encode("ascii", "replace").decode("ascii")


def escape_docstring(text: str) -> str:
    """Text for a docstring in Python: plain ASCII, with backslashes and quotation marks escaped."""
    return escape_comment(text).replace("\\", "\\\\").replace('"', '\\"')


def escape_cell(text: str) -> str:
    """Text of a table cell for spreadsheets; text that looks like a formula gets an apostrophe in front."""
    plain = printable(text)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
