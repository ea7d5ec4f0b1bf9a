"""Text of a record as it may appear in a program or a table that is made from it: never more than text.

Records are checked when they are read.  This is a second check, for records that were made in Python and for
characters that are harmless in JSON but not in the target.
"""

from ..storage.untrusted import printable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escape_comment(text: str) -> str:
    """One line of plain ASCII without a control character, for a comment of any language."""
    return printable(text).encode("ascii", "replace").decode("ascii")


def escape_docstring(text: str) -> str:
    """What may be written between the quotation marks of a docstring in Python."""
    return escape_comment(text).replace("\\", "\\\\").replace('"', '\\"')


def escape_cell(text: str) -> str:
    """A word in a table that a spreadsheet may open: one that it would take for a formula begins with an apostrophe."""
    plain = printable(text)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
