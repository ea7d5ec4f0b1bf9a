"""Run the Monte Carlo campaigns whose records are packaged in ``fits/``, and draw the picture of the docs.

``python tools/spread_records.py FOLDER`` stores the campaigns in FOLDER, so a second call simulates only the
missing samples.
"""

import argparse
import shutil
import subprocess
from pathlib import Path

GAINCELL = shutil.which("gaincell") or "gaincell"
ROOT = Path(__file__).parents[1]
CAMPAIGNS = (
    ("gain_cell", "dc", "mismatch", 1024),
    ("gain_cell", "dc", "both", 1024),
    ("gain_cell", "pulse", "both", 1024),
    ("gain_cell", "write", "both", 256),
    ("gain_cell", "energy", "both", 256),
    ("gain_cell_switched", "dc", "both", 1024),
    ("capacitor_decay", "decay", "both", 512),
    ("capacitor_decay", "leak", "both", 512),
    ("relu_c2p", "transfer", "both", 512),
    ("signed_c2p", "transfer", "both", 256),
)
PICTURE = ("gain_cell", "dc", "mismatch")


def main() -> None:
    """Run all campaigns and copy their records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for circuit, bench, vary, n in CAMPAIGNS:
        name = f"{circuit}.{bench}_{vary}"
        subprocess.run(
            [GAINCELL, "mc", circuit, bench, "-n", str(n), "--vary", vary, "-o", str(folder / name)], check=True
        )
        shutil.copy(folder / name / "record.json", ROOT / "fits" / "gc28" / f"{name}.json")
    picture = folder / "{}.{}_{}".format(*PICTURE) / "figures" / "band_0_0.png"
    shutil.copy(picture, ROOT / "docs" / "images" / "spread.png")


if __name__ == "__main__":
    main()
