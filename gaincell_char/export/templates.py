"""The programs and texts that targets write: Jinja templates, files ``*.j2`` in ``targets/``.

A template prints one line at a time: a value that contains a line separator is refused, whatever it is.  Words of a
record pass a filter of `escape` besides: ``comment`` in a comment, ``docstring`` between the quotation marks of one.
"""

import jinja2

from ..errors import ExportError
from ..storage.untrusted import shown
from .escape import comment, docstring


def _check_one_line(value: object) -> str:
    """Return what a template prints for a value; Jinja calls this for every ``{{ value }}``."""
    text = str(value)
    if text.splitlines() not in ([], [text]):
        raise ExportError(f"{shown(text)} cannot be exported: it has more than one line")
    return text


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__, "targets"),
    autoescape=False,  # noqa: S701  the texts are programs, where escaping for HTML would be wrong
    undefined=jinja2.StrictUndefined,
    finalize=_check_one_line,
    trim_blocks=True,
    keep_trailing_newline=True,
    auto_reload=False,
)
_ENVIRONMENT.filters.update(comment=comment, docstring=docstring)


def fill_template(name: str, /, **values: object) -> str:
    """Return a template of ``targets/`` with these values in it.

    Raises
    ------
    ExportError
        If a value has more than one line.
    """
    return _ENVIRONMENT.get_template(name).render(values)
