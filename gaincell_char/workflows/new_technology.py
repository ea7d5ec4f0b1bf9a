"""A new technology folder from the template."""

import re
from importlib.resources import files
from pathlib import Path

from .. import registry
from ..errors import ParameterError
from ..storage.tables import make_folder, shown_path, write_text
from ..storage.untrusted import shown
from ..technology.folder import MANIFEST

_NAME = re.compile(r"[A-Za-z][\w-]{0,63}", re.ASCII)
_DEVICES = "devices.cir"
_PLACEHOLDER = "NAME"


def new_technology(name: str, parent: Path = Path()) -> tuple[Path, ...]:
    """Write a folder `name` with a commented ``technology.toml`` and ``devices.cir``, which passes all checks.

    Parameters
    ----------
    name : str
        Name of the technology and of its folder.
    parent : Path
        Folder in which it is created; the current one by default.

    Returns
    -------
    tuple of Path
        Paths of the files.

    Raises
    ------
    RequestError
        If the name is invalid or that of a built-in technology, or the folder exists or cannot be created.
    StorageError
        If a file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"{shown(name)} is not a name for a technology: begin with a letter, and use at most 64 letters, digits, - "
            "and _; the folder is created in the current folder"
        )
    if name in registry.technology_names():
        raise ParameterError(f"{name} is the name of a built-in technology; choose another name")
    folder = parent / name
    if folder.exists() or folder.is_symlink():
        raise ParameterError(f"{shown_path(folder)} exists; choose another name, or remove it")
    make_folder(folder)
    template = files("gaincell_char.technology") / "template"
    for file in (MANIFEST, _DEVICES):
        text = (template / file).read_text(encoding="utf-8")
        write_text(folder / file, re.sub(rf"\b{_PLACEHOLDER}\b", name, text) if file == MANIFEST else text)
    return tuple(folder / file for file in (MANIFEST, _DEVICES))
