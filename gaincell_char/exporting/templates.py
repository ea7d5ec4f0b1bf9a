"""Templates of the exported programs and texts: Jinja files ``*.j2`` in ``targets/``.

A value with a line separator is rejected, so an export has exactly the lines of its template.  Text of a record also
passes a filter: ``comment`` in a comment, ``docstring`` in a docstring.
"""

import jinja2

from ..errors import ExportError
from ..storage.untrusted import shown
from .escape import escape_comment, escape_docstring


def _check_one_line(value: object) -> str:
    """Return the text of a value, checked; Jinja calls this for every ``{{ value }}``."""
    text = str(value)
    if text.splitlines() not in ([], [text]):
        raise ExportError(f"{shown(text)} cannot be exported: it must have one line")
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
    """Fill a template of ``targets/`` with values.

    Parameters
    ----------
    template : str
        File name of the template.
    **values
        Values by their names in the template.

    Raises
    ------
    ExportError
        If a value has more than one line.
    """
    return _ENVIRONMENT.get_template(template).render(values)
