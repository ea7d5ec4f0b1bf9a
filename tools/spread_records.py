"""Run the Monte Carlo campaigns whose records are packaged in ``fits/``, and draw the picture of the docs.

``python tools/spread_records.py FOLDER [--tech NAME]`` stores the campaigns in FOLDER, so a second call simulates only
the missing samples.  The picture is that of gc28.
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
    ("gain_cell_switched", "pulse", "both", 1024),
    ("capacitor_decay", "decay", "both", 512),
    ("capacitor_decay", "leak", "both", 512),
    ("relu_c2p", "transfer", "both", 512),
    ("signed_c2p", "transfer", "both", 256),
)
OXIDE = (("capacitor_decay", "leak", "both", 512),)
"""Campaign of osfet, whose write transistor is what differs."""
PICTURE = ("gain_cell", "dc", "mismatch")
SOME_FAILED = 1
"""Status of a campaign in which some points failed; their samples are left out, and the message says how many."""


def main() -> None:
    """Run all campaigns and copy their records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tech", default="gc28")
    parser.add_argument("--circuit", action="append", help="only this circuit; may be repeated")
    arguments = parser.parse_args()
    folder, tech = arguments.folder, arguments.tech
    folder.mkdir(parents=True, exist_ok=True)
    for circuit, bench, vary, n in OXIDE if tech == "osfet" else CAMPAIGNS:
        if arguments.circuit and circuit not in arguments.circuit:
            continue
        name = f"{circuit}.{bench}_{vary}"
        request = ["-n", str(n), "--vary", vary, "--tech", tech, "-o", str(folder / name)]
        found = subprocess.run([GAINCELL, "mc", circuit, bench, *request], check=False)
        if found.returncode not in (0, SOME_FAILED):
            raise SystemExit(found.returncode)
        shutil.copy(folder / name / "record.json", ROOT / "fits" / tech / f"{name}.json")
    if tech != "gc28" or arguments.circuit:
        return
    picture = folder / "{}.{}_{}".format(*PICTURE) / "figures" / "band_0_0.png"
    shutil.copy(picture, ROOT / "docs" / "images" / "spread.png")


if __name__ == "__main__":
    main()
