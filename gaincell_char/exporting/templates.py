"""The programs and texts that targets write: Jinja templates, files ``*.j2`` in ``targets/``.

A value that contains a line separator is refused, whatever it is, so the lines of an export are those of its template.
Words of a record also pass a filter: ``comment`` in a comment, ``docstring`` between the quotation marks of one.
"""

import jinja2

from ..errors import ExportError
from ..storage.untrusted import shown
from .escape import escape_comment, escape_docstring


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
_ENVIRONMENT.filters.update(comment=escape_comment, docstring=escape_docstring)


def fill_template(template: str, /, **values: object) -> str:
    """Return a template of ``targets/`` with these values in it.

    Parameters
    ----------
    template : str
        Its file name.
    **values
        What the template prints, by the names that it uses.

    Raises
    ------
    ExportError
        If a value has more than one line.
    """
    return _ENVIRONMENT.get_template(template).render(values)
