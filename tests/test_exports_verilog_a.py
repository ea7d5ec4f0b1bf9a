"""Exported Verilog-A, compiled and run in the benches' decks beside our own evaluation.

Needs a compiler (found as for a technology with Verilog-A sources) and an ngspice program that loads compiled models
(GAINCELL_OSDI_NGSPICE, the one that `./go test` unpacks, or the one on PATH if it can).
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.declare.macro_model import MacroText
from gaincell_char.exporting import export_files
from gaincell_char.technology.compiler import find_compiler

COMPILER = find_compiler()
NEWER = Path(__file__).parents[1] / ".ngspice46/bin/ngspice"
NGSPICE = os.environ.get("GAINCELL_OSDI_NGSPICE") or (str(NEWER) if NEWER.exists() else shutil.which("ngspice"))
INPUTS = {
    "gain_cell.pulse": {"v_store": [0.0, 0.3, 0.9], "t_pulse": [1e-9, 15e-9]},
    "gain_cell_switched.pulse": {"v_store": [0.1, 0.7], "t_pulse": [4e-9]},
    "relu_c2p.transfer": {"q_in": [-1e-13, 6.5e-15, 5e-13, 1.3e-12]},
    "signed_c2p.transfer": {"q_in": [-5e-13, -2e-14, 6e-14, 1e-12]},
}
REQUIRED = os.environ.get("GAINCELL_REQUIRE_NGSPICE46") == "1"
needs_compiler = pytest.mark.skipif(
    not COMPILER and not REQUIRED, reason="no Verilog-A compiler: gaincell tech get ihp-sg13g2 downloads openvaf-r"
)


def compiled(text, name, folder):
    (folder / f"{name}.va").write_text(text)
    made = subprocess.run(
        [COMPILER, f"{name}.va", "-o", f"{name}.osdi"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / f"{name}.osdi"


def loads_models(folder):
    (folder / "none.cir").write_text("* none\n.control\nosdi none.osdi\nquit 0\n.endc\n.end\n")
    told = subprocess.run([NGSPICE, "-n", "-b", "none.cir"], cwd=folder, capture_output=True, text=True, check=False)
    return "no such command" not in told.stdout + told.stderr


def wrapped(name, ports, beside):
    """The transistor netlist's subcircuit with nothing but the compiled model in it."""
    return f".subckt {name} {ports}\nn1 {ports} compiled\n.model compiled {name}\n.ends {name}\n{beside}\n"


def run(deck, saved, model, folder):
    orders = f"pre_osdi {model}\nset wr_singlescale\nset wr_vecnames\nset numdgt=14\nrun\nwrdata out {' '.join(saved)}"
    (folder / "deck.cir").write_text(deck.removesuffix(".end\n") + f".control\n{orders}\nquit 0\n.endc\n.end\n")
    done = subprocess.run(
        [NGSPICE, "-n", "-b", "deck.cir"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    [out] = list(folder.glob("out*")) or pytest.fail(done.stdout + done.stderr)
    columns = np.loadtxt(out, skiprows=1).T
    out.unlink()
    return dict(zip(["time", *saved], columns, strict=True))


@needs_compiler
@pytest.mark.parametrize("name", INPUTS)
def test_the_compiled_module_computes_the_model(name, tmp_path):
    record = registry.load_record("gc28", name)
    model = compiled(export_files(record, "verilog-a")[f"{record.circuit}.va"], record.circuit, tmp_path)
    if not (NGSPICE and loads_models(tmp_path)):
        assert not REQUIRED, f"{NGSPICE} loads no compiled models"
        pytest.skip("compiled, not run: this ngspice loads no compiled models; 46 does, from Debian's backports")
    fit = next(fit for fit in record.fits if fit.form == "fitted")
    macros = registry.load_circuit(record.circuit).macros
    text = next(macro.spice for macro in macros if fit.model in macro.models)
    assert isinstance(text, MacroText)
    ports = " ".join(registry.load_netlist(record.circuit).subcircuits[record.circuit].ports)
    netlist = wrapped(record.circuit, ports, text.appendix)
    plan = registry.plan_bench(record.circuit, record.bench, netlist=netlist, sweep=INPUTS[name])
    for point in plan.points():
        waves = run(point.deck.text, plan.bench.save, model, tmp_path)
        measured = plan.bench.output(fit.output).measure(waves, point.deck.params)
        own = registry.load_model(record, fit.model)(*(np.array(point.deck.params[i]) for i in fit.inputs))
        assert measured == pytest.approx(float(own), abs=0.1 * fit.stated.rms), point.where


@needs_compiler
@pytest.mark.parametrize("name", ["gain_cell.dc", "gain_cell_switched.dc"])
def test_every_model_with_a_macro_compiles(name, tmp_path):
    record = registry.load_record("gc28", name)
    for fit in record.fits:
        compiled(export_files(record, "verilog-a", model=fit.model)[f"{record.circuit}.va"], fit.model, tmp_path)
