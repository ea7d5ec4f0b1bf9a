"""Types for fields of a ``technology.toml``, in addition to plain names and texts."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import re2
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field

from ..storage.schema_fields import Finite, Label
from ..storage.untrusted import printable, shown

T = TypeVar("T")

_MOST_EDITS, _LONGEST_EDIT, _MOST_PATTERNS = 100, 1000, 3
# PEP 503: names of projects in the Python package index.
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_FLAVOUR = re.compile(r"[a-z]\w{0,31}", re.ASCII)
_FOLDER = re.compile(
    r"(?:\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))/)?(?P<path>[\w.+*?\[\]-]+(?:/[\w.+*?\[\]-]+)*)/?", re.ASCII
)


def _project(text: str) -> str:
    if not _PROJECT.fullmatch(text):
        raise ValueError(f"{shown(text)} is not the name of a package; use letters, digits, '.', '_' and '-'")
    return text


def _version(text: str) -> str:
    try:
        return str(Version(text))
    except InvalidVersion:
        raise ValueError(f"{shown(text)} is not the version of a package; write it as 1.2.3") from None


def _flavour(text: str) -> str:
    if not _FLAVOUR.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a flavour; use lower-case letters, digits and _")
    return text


def _section(text: str) -> str:
    if not re.fullmatch(r"\w{0,64}", text, re.ASCII):
        raise ValueError(f"{shown(text)} is not a section of a library; use letters, digits and _")
    return text


def _folder(text: str) -> str:
    match = _FOLDER.fullmatch(text)
    variable = match and (match["braced"] or match["bare"])
    parts = match["path"].split("/") if match else []
    patterns = [part for part in parts if set(part) & set("*?[")]
    if not parts or ".." in parts or len(patterns) > _MOST_PATTERNS or (variable and "PDK" not in variable.upper()):
        raise ValueError(
            f"{shown(text)} is not a place for model files; write a path below this folder, or a path that begins "
            f"with $PDK_ROOT or another variable of a PDK, with at most {_MOST_PATTERNS} patterns"
        )
    return text


def _edits(edits: Mapping[str, str]) -> Mapping[str, str]:
    if len(edits) > _MOST_EDITS or any(len(text) > _LONGEST_EDIT for pair in edits.items() for text in pair):
        raise ValueError(f"at most {_MOST_EDITS} edits of at most {_LONGEST_EDIT} characters are allowed")
    for pattern in edits:
        compile_edit(pattern)
    return edits


def distinct(values: Sequence[T]) -> Sequence[T]:
    """Return the values of a list, or raise `ValueError` if a value is repeated."""
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{shown(str(value))} is listed twice")
    return values


def compile_edit(pattern: str) -> Any:
    """Compile a regular expression of RE2, with linear run time; ``^`` and ``$`` match at every line.

    Raises
    ------
    ValueError
        If the pattern is not valid in RE2, which has no look-ahead and no back-references.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?m){pattern}", options=options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"{shown(pattern)} is not a regular expression of RE2: {printable(said)}") from None


Project = Annotated[str, AfterValidator(_project)]
PackageVersion = Annotated[str, AfterValidator(_version)]
Flavour = Annotated[str, AfterValidator(_flavour)]
Section = Annotated[str, AfterValidator(_section)]
Folder = Annotated[str, AfterValidator(_folder)]
Hash = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
ParameterValue = Finite | Label
Positive = Annotated[Finite, Field(gt=0)]
Edits = Annotated[Mapping[str, str], AfterValidator(_edits)]
