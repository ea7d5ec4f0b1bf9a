"""Mutations of valid files of the seven kinds that may be untrusted: one sentence, or a result, and no more.

Fifty inputs of each kind; ``GAINCELL_TESTS=all`` takes five hundred, another five hundred each time.
"""

import hashlib
import io
import itertools
import json
import os
import re
import shutil
import sys
import types
import warnings
from collections import Counter
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hostile import Trap, data, dumped, texts, trees
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.errors import GaincellError
from gaincell_char.exporting import export, export_names
from gaincell_char.montecarlo import execute, results
from gaincell_char.montecarlo.campaign import plan_campaign, restore_campaign
from gaincell_char.montecarlo.finished import read_finished
from gaincell_char.spice import netlist
from gaincell_char.spice.deck import Deck, Template
from gaincell_char.storage import foreign_tables, manifest
from gaincell_char.storage import tables as store
from gaincell_char.sweeping.run import characterize
from gaincell_char.torch import GainCellArray, load_array, load_exported
from gaincell_char.workflows import fetch_models
from gaincell_char.workflows.fit_table import fit_table
from gaincell_char.workflows.reading import Reading

ROOT = Path(__file__).parents[1]
ALL = os.environ.get("GAINCELL_TESTS") == "all"
INPUTS = 500 if ALL else 50
LEAST_READ = 0.3
pytestmark = pytest.mark.ngspice


@pytest.fixture
def fuzz(tmp_path, record_property):
    """Hand `INPUTS` hostile inputs to a user, which says whether the parser took them."""

    def run(strategy, use, *readable):
        seen, numbers = Counter(), itertools.count()

        @settings(
            max_examples=INPUTS, deadline=None, derandomize=not ALL, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(strategy)
        def one(made):
            trap = Trap(tmp_path / str(next(numbers)), *readable)
            with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"), trap.armed():
                seen[bool(use(trap, made))] += 1
            shutil.rmtree(trap.inside.parent)

        one()
        record_property("inputs", seen.total())
        record_property("past_the_parser", seen[True])
        assert seen[True] >= LEAST_READ * seen.total(), seen

    return run


def refused(read):
    """What a reader returns, or None if it refuses in a sentence."""
    try:
        return read()
    except GaincellError as error:
        said = str(error).splitlines()[0]
    assert said.isprintable()
    return None


# --- records --------------------------------------------------------------------------------------------------------

RECORDS = ("gain_cell.dc", "gain_cell.dc_mismatch", "capacitor_decay.decay", "relu_c2p.transfer_both")


@cache
def record(name):
    return json.loads((ROOT / "fits" / "gc28" / f"{name}.json").read_text(encoding="utf-8"))


records = st.sampled_from(RECORDS).flatmap(lambda name: trees(record(name)))


def _read_record(trap, tree):
    path = trap.inside / "record.json"
    path.write_text(dumped(trap.filled(tree)), encoding="utf-8")
    return refused(lambda: registry.checked_record(path))


def use_record(trap, tree):
    read = _read_record(trap, tree)
    if read is None:
        return False
    for fit in read.fits[:3]:
        own = refused(partial(registry.load_model, read, fit.model, **fit.conditions))
        if own is not None:
            own(*(np.linspace(*fit.valid_range[name], 5) for name in fit.inputs))
    for random in read.spread.random if read.spread else ():
        own = refused(partial(registry.load_random, read, random.model, **random.conditions))
        if own is not None:
            refused(partial(own.draw, 2, 2, seed=1))
    refused(lambda: GainCellArray(torch.full((3, 2), 0.4), records=trap.inside))
    return True


def test_records(fuzz):
    fuzz(records, use_record)


# --- what exported files say ----------------------------------------------------------------------------------------

COMMENT = {".cir": ("*",), ".va": ("//",), ".py": ("#",), ".txt": ("",), ".csv": ("#",)}


@pytest.fixture
def stand_ins(monkeypatch):
    """The modules that exported programs import, as empty ones."""
    empty = type("Empty", (), {})
    modules = {
        "simulator": {}, "simulator.devices": {}, "simulator.backend": {"ComputeBackend": lambda: np},
        "simulator.devices.idevice": {"EmptyDevice": empty},
    }  # fmt: skip
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)


def use_export(trap, made, pool):
    tree, to = made
    read = _read_record(trap, tree)
    if read is None:
        return False
    out = trap.inside / "out"
    if refused(lambda: export(read, to, out, companions="gc28")) is None:
        return True
    for file in out.iterdir():
        run_export(file, pool)
    return True


def run_export(file, pool):
    """Load what was written as its consumer would."""
    if file.suffix == ".py":
        source = file.read_text(encoding="utf-8")
        module = types.ModuleType(f"exported_{file.stem}")
        module.__file__ = str(file)
        sys.modules[module.__name__] = module  # for its dataclasses
        if "aihwkit" in source:
            compile(source, str(file), "exec")
        else:
            exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102  what a user's import does
        del sys.modules[module.__name__]
    elif file.suffix == ".cir":
        body = f"{file.read_text(encoding='ascii')}\nv1 a 0 1\nr1 a 0 1k\n.save v(a)"
        deck = Deck(
            template=Template(title="any", temp=27.0, options=(), body=body, save=("v(a)",)), params={}, analysis=Op(),
            initial={},
        )  # fmt: skip
        list(pool.map([deck], lambda d: d, count=1))
    elif file.suffix == ".va":
        text = re.sub(r'"[^"\n]*"|//[^\n]*', "", file.read_text(encoding="ascii"))
        assert not re.search(r"\$system|/\*|\binclude\b.*/", text)


@pytest.mark.usefixtures("stand_ins")
def test_exported_files(fuzz, pool):
    targets = st.sampled_from([name for name in export_names() if name != "torch"])
    fuzz(st.tuples(records, targets), partial(use_export, pool=pool))


# --- netlists -------------------------------------------------------------------------------------------------------

CARDS = (
    "xq>{victim} bl 0 n_svt w=1u l=1u", "r1 bl 0 1k", "r2 bl 0 {{nope}}", ".param a=1", ".model m1 nmos level=1",
    ".include {secret}", ".if (1)", ".endif", ".ends gain_cell", "+ w=2u", "b1 bl 0 v=v(st)*v(st)", "a1 bl st gate",
    ".options reltol=1e300", ".ic v(st)=1", ".func f(x) {{x*x}}", "v9 bl 0 pwl file={secret}", ".model x d file={flag}",
)  # fmt: skip


def use_netlist(trap, text, pool):
    path = trap.inside / "cell.cir"
    path.write_text(trap.fill(text.replace("{{", "{").replace("}}", "}")), encoding="utf-8")
    plan = refused(lambda: registry.plan_bench("gain_cell", "dc", netlist=path, sweep={"v_store": [0.2, 0.7]}))
    if plan is None:
        return False
    refused(lambda: characterize(plan, pool=pool))
    campaign = refused(lambda: plan_campaign("gain_cell", "dc", vary="mismatch", netlist=plan.netlist,
                                             sweep={"v_store": [0.2]}))  # fmt: skip
    if campaign is not None:
        refused(lambda: execute.run_campaign(campaign, 1, trap.inside / "campaign", pool=pool))
    return True


def test_netlists(fuzz, pool):
    fuzz(texts((ROOT / "netlists" / "gain_cell.cir").read_text(), CARDS), partial(use_netlist, pool=pool))


# --- technologies ---------------------------------------------------------------------------------------------------

ENTRIES = (
    'files = ["{secret}"]', 'files = ["../outside/secret.txt"]', 'name = "x\\n*# shell touch {flag}"', "x = 1",
    "[models.edits]", "'(a+)+$' = 'x'", "'(' = ''", '[models.wheel]\nname = "-r{secret}"\nversion = "1"',
    '[models]\nlib = "{secret}"\nfolders = ["/etc"]\nsections = {{ tt = "" }}', 'base = "sky130"', 'base = "../gc28"',
    "[corners.zz]", "[circuits.gain_cell]\nw_n = 1e-6", "[options.gain_cell]\nreltol = 1e300", "process_c = nan",
    '[axes.capacitor_decay]\ntime = "0:1:100000000"', "temp = {{ low = -500.0, high = 1e300 }}",
)  # fmt: skip
GC28 = ROOT / "netlists" / "tech" / "gc28"


@st.composite
def technologies(draw):
    file = draw(st.sampled_from(("technology.toml", "technology.toml", "devices.cir", "models.lib")))
    return file, draw(texts((GC28 / file).read_text(), ENTRIES if file.endswith("toml") else CARDS))


def use_technology(trap, made, pool):
    file, text = made
    folder = trap.inside / "mine"
    shutil.copytree(GC28, folder)
    (folder / file).write_text(trap.fill(text.replace("{{", "{").replace("}}", "}")), encoding="utf-8")
    loaded = refused(lambda: registry.load_technology(str(folder)))
    registry.load_technology.cache_clear()
    if loaded is None:
        refused(lambda: fetch_models.fetch_models(str(folder)))
        return False
    for circuit, bench in (("gain_cell", "dc"), ("capacitor_decay", "leak")):
        plan = refused(partial(registry.plan_bench, circuit, bench, technology=loaded, sweep={"v_store": [0.2]}))
        if plan is not None:
            refused(partial(characterize, plan, pool=pool))
    return True


def test_technologies(fuzz, pool):
    fuzz(technologies(), partial(use_technology, pool=pool))


# --- tables ---------------------------------------------------------------------------------------------------------

FORMATS = (*["csv"] * 6, "tsv", "parquet", "npz", "npy", "nc", "raw")
RAW = (
    "Title: x\nDate: Mon\nPlotname: DC\nFlags: real\nNo. Variables: 2\nNo. Points: 3\n"
    "Variables:\n\t0\tv_store\tvoltage\n\t1\ti_bl\tcurrent\nValues:\n"
    " 0\t0.0\n\t1e-6\n\n 1\t0.5\n\t2e-6\n\n 2\t0.9\n\t4e-6\n\n"
)


@cache
def table(ending):
    """A table of a current over the stored voltage, as bytes."""
    v = np.linspace(0, 0.9, 12)
    frame = pd.DataFrame({"v_store": v, "i_bl": 1e-5 * (v - 0.45) + 1e-6 * v**3})
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    path = folder / f".gaincell-fuzz-{os.getpid()}.{ending}"
    if ending in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="," if ending == "csv" else "\t")
    elif ending == "parquet":
        frame.to_parquet(path)
    elif ending == "npz":
        np.savez(path, **{name: frame[name].to_numpy() for name in frame})
    elif ending == "npy":
        np.save(path, frame.to_records(index=False))
    elif ending == "nc":
        store.write_dataset(frame.set_index("v_store").to_xarray(), path)
    else:
        path.write_text(RAW)
    found = path.read_bytes()
    path.unlink()
    return found


@st.composite
def tables(draw):
    ending = draw(st.sampled_from(FORMATS))
    whole = table(ending)
    if ending in ("csv", "tsv", "raw"):
        return ending, draw(texts(whole.decode())).encode("utf-8", "surrogatepass")
    return ending, draw(st.just(whole) | data(whole))


def use_table(trap, made):
    ending, content = made
    path = trap.inside / f"table.{ending}"
    path.write_bytes(trap.fill(content.decode("latin-1")).encode("latin-1"))
    if refused(lambda: foreign_tables.read_columns(path)) is None:
        return False
    reading = Reading(columns={"v_store": "v_store", "i_bl": "i_bl"})
    refused(lambda: fit_table(path, circuit="gain_cell", models=["cubic"], reading=reading))
    if ending in ("csv", "nc", "parquet"):
        refused(lambda: fit_table(path, circuit="gain_cell", bench="dc", models=["cubic"]))
    return True


@pytest.mark.slow
def test_tables(fuzz):
    fuzz(tables(), use_table)


# --- campaign folders -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def campaign_folder(pool, tmp_path_factory):
    """A finished campaign of three points and four samples."""
    folder = tmp_path_factory.mktemp("campaign") / "c"
    campaign = plan_campaign("gain_cell", "dc", vary="mismatch", sweep={"v_store": [0.0, 0.4, 0.9]})
    execute.run_campaign(campaign, 4, folder, pool=pool)
    return folder


@st.composite
def campaigns(draw, folder):
    """The folder of a campaign with a changed manifest or shard."""
    said = json.loads((folder / "campaign.json").read_text())
    [shard] = (folder / "shards").glob("*.parquet")
    kind = draw(st.sampled_from(("manifest", "manifest", "bytes", "rows", "rows", "rows", "link", "gone")))
    if kind == "manifest":
        return {"campaign.json": draw(trees(said))}
    if kind == "bytes":
        return _renamed(shard, draw(data(shard.read_bytes())))
    if kind == "rows":
        frame = pd.read_parquet(shard)
        row = draw(st.integers(0, len(frame) - 1))
        if draw(st.booleans()):
            frame.loc[row, "i_bl"] *= draw(st.floats(0.5, 2.0))
            return _renamed(shard, parquet(frame))
        column = draw(st.sampled_from(list(frame)))
        value = draw(st.sampled_from((None, "x", -1, 10**6, 1e300, [1.0], float("nan"))))
        frame[column] = frame[column].astype(object)
        frame.at[row, column] = value
        return _renamed(shard, parquet(frame.drop(columns=[column]) if draw(st.booleans()) else frame))
    name = draw(st.sampled_from(("campaign.json", "shards", f"shards/{shard.name}")))
    return {name: None if kind == "gone" else Path("../../outside/secret.txt")}


def parquet(frame):
    out = io.BytesIO()
    try:
        frame.to_parquet(out)
    except (ValueError, TypeError, OverflowError):  # a column that Parquet cannot hold
        out = io.BytesIO()
        frame.astype(str).to_parquet(out)
    return out.getvalue()


def _renamed(shard, content):
    """The shard is gone, and beside it is one whose name says that it is whole."""
    name = f"{shard.stem.partition('-')[0]}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    return {f"shards/{shard.name}": None, f"shards/{name}": content}


def use_campaign(trap, changed, whole, pool):
    folder = trap.inside / "c"
    shutil.copytree(whole, folder)
    for name, content in changed.items():
        _replace(trap, folder / name, content)
    there = refused(lambda: manifest.read_manifest(folder))
    if there is None:
        return False
    campaign = refused(lambda: restore_campaign(there.request))
    if campaign is None:
        return True
    read = refused(lambda: read_finished(campaign, folder, 4, lambda _: None))
    refused(lambda: results.collect(campaign, folder, 4))
    refused(lambda: execute.run_campaign(campaign, min(there.n, 4), folder, pool=pool))
    return read is not None


def _replace(trap, path, content):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if isinstance(content, Path):
        path.symlink_to(content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(dumped(trap.filled(content)), encoding="utf-8")


@pytest.mark.slow
def test_campaign_folders(fuzz, pool, campaign_folder):
    fuzz(campaigns(campaign_folder), partial(use_campaign, whole=campaign_folder, pool=pool), campaign_folder)


# --- saved arrays and exported models -------------------------------------------------------------------------------


@st.composite
def arrays(draw, folder):
    kind = draw(st.sampled_from(("array", "model")))
    files = sorted(p for p in (folder / kind).rglob("*") if p.is_file())
    about = [p for p in files if p.name in ("array.json", "model.json")] * 3
    file = draw(st.sampled_from([*files, *about]))
    if file.suffix == ".json":
        return kind, file.relative_to(folder), draw(trees(json.loads(file.read_text())))
    whole = file.read_bytes()
    if draw(st.booleans()):  # a low byte of a number, which leaves it one
        at = len(whole) - 8 * draw(st.integers(1, 8))
        return kind, file.relative_to(folder), whole[:at] + draw(st.binary(min_size=4, max_size=4)) + whole[at + 4 :]
    return kind, file.relative_to(folder), draw(data(whole))


def use_array(trap, made, whole):
    kind, file, content = made
    shutil.copytree(whole / kind, trap.inside / kind)
    _replace(trap, trap.inside / file, content)
    if kind == "model":
        element = refused(lambda: load_exported(trap.inside / "model", "ekv", corner="tt"))
        if element is not None:
            element(torch.linspace(0, 0.9, 5, dtype=torch.float64))
        return element is not None
    array = refused(lambda: load_array(trap.inside / "array"))
    if array is not None:
        refused(lambda: array(torch.zeros(2, array.v_store.shape[0], dtype=torch.float64)))
    return array is not None


def test_saved_arrays(fuzz, saved):
    fuzz(arrays(saved), partial(use_array, whole=saved), saved)


def test_the_trap_catches_what_it_is_there_for(tmp_path):
    """A reader that reads, writes or runs more than it may is seen."""
    deeds = {
        "read": lambda trap: (trap.outside / "secret.txt").read_text(),
        "wrote": lambda trap: trap.flag.touch(),
        "os.system": lambda _: os.system("true"),  # noqa: S605, S607
        "os.remove": lambda trap: (trap.outside / "victim.txt").unlink(),
    }
    for number, (deed, do) in enumerate(deeds.items()):
        trap = Trap(tmp_path / str(number))
        with pytest.raises(AssertionError, match=deed), trap.armed():
            do(trap)
    assert netlist
