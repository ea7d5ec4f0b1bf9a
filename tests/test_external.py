"""Tables from elsewhere: named, converted, checked and fitted; refusals in the words the user reads."""

import json
import subprocess
from shutil import which

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError, RequestError
from gaincell_char.fitting.record import read_record
from gaincell_char.storage import tables
from gaincell_char.storage.foreign_tables import ENDINGS, read_columns
from gaincell_char.sweeping.run import characterize
from gaincell_char.units import parse
from gaincell_char.workflows.fit_table import fit_table
from gaincell_char.workflows.reading import OUTLIERS, Reading

PUBLISHED = registry.load_record("paper", "gain_cell.dc").fit("cubic")
CUBIC = registry.load_circuit("gain_cell").model("cubic")
V = np.linspace(0, 0.9, 37)
I_BL = CUBIC(V, **PUBLISHED.values())
SCALES = {"V": "mV", "A": "uA", "C": "fC", "s": "ns", "J": "fJ"}


def _fits():
    """Record and fit; a model that a record has at many corners is in the short form once."""
    seen = set()
    for name in (name for name in registry.record_names() if not name.endswith(("_pvt", "_bias"))):  # tests/test_pvt.py
        record = registry.load_record("gc28", name)
        for index, fit in enumerate(record.fits if record.spread is None else ()):
            marks = [pytest.mark.long] if (name, fit.model) in seen else []
            seen.add((name, fit.model))
            yield pytest.param(name, index, marks=marks, id=f"{name}-{index}")


def lab(**more):
    """The published polynomial as a laboratory would write it."""
    return pd.DataFrame({"Vst [mV]": 1e3 * V, "Id": 1e6 * I_BL, **more})


LAB = Reading(columns={"v_store": "Vst [mV]", "i_bl": "Id"}, units={"v_store": "mV", "i_bl": "uA"})


def changed(**more):
    return Reading(columns=LAB.columns, units=LAB.units, **more)


def fit(table, models, reading):
    return fit_table(table, circuit="gain_cell", models=models, reading=reading)


def cubic(frame, reading=LAB):
    return fit(frame, ["cubic"], reading)[0].fits[0]


def test_the_published_polynomial_comes_back():
    found = cubic(lab()).values()
    for name, value in PUBLISHED.values().items():
        assert found[name] == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize(("name", "index"), [*_fits()])
def test_every_model_is_fitted_to_foreign_columns(name, index, tmp_path):
    """A table made by each packaged fit, in other units and under other names, gives its curve back."""
    record = registry.load_record("gc28", name)
    stored = record.fits[index]
    circuit = registry.load_circuit(record.circuit)
    model = circuit.model(stored.model)
    own = registry.plan_bench(record.circuit, model.bench).sweep
    one = len(model.inputs) == 1
    axes = [np.array(own[x]) if one and x in own else np.linspace(*stored.valid_range[x], 17) for x in stored.inputs]
    grid = [x.ravel() for x in np.meshgrid(*axes, indexing="ij")]
    output = model(*grid, **stored.values())
    bench = circuit.bench(model.bench)
    params = circuit.params | bench.params
    curve = {bench.curve.name: bench.curve} if bench.curve else {}
    unit = {x: (curve.get(x) or params[x]).unit for x in stored.inputs} | {
        model.output: bench.output(model.output).unit
    }
    units = {x: SCALES.get(u, u) for x, u in unit.items()}
    columns = {x: f"col {i}" for i, x in enumerate(unit)}
    data = {
        columns[x]: values / (1.0 if unit[x] == "1" else parse(f"1{units[x]}", unit[x]))
        for x, values in zip(unit, [*grid, output], strict=True)
    }
    given_ = {x: v for x, v in record.parameters.items() if x not in stored.conditions}
    held = {x: v for x, v in stored.conditions.items() if x not in ("corner", "temp")}
    file = tmp_path / "table.csv"
    pd.DataFrame({**data, **stored.conditions}).to_csv(file, index=False)
    reading = Reading(columns=columns, units=units, fixed={**given_, **{x: v for x, v in held.items() if x in params}})
    made, _ = fit_table(file, circuit=record.circuit, models=[stored.model], reading=reading)
    again = model(*grid, **made.fits[0].values())
    assert np.abs(again - output).max() < 1e-5 * stored.full_range
    assert made.fits[0].conditions == pytest.approx(stored.conditions)


VOLTS, AMPERES = {"V": 1, "mV": 1e-3, "uV": 1e-6}, {"A": 1, "mA": 1e-3, "uA": 1e-6, "pA": 1e-12}


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(len(V))), st.sampled_from(sorted(VOLTS)), st.sampled_from(sorted(AMPERES)))
def test_order_and_units_do_not_matter(order, volt, ampere):
    frame = pd.DataFrame({"a": V / VOLTS[volt], "b": I_BL / AMPERES[ampere]}).iloc[list(order)]
    found = cubic(frame, Reading(columns={"v_store": "a", "i_bl": "b"}, units={"v_store": volt, "i_bl": ampere}))
    for name, value in PUBLISHED.values().items():
        assert found.values()[name] == pytest.approx(value, rel=1e-8)


# --- formats --------------------------------------------------------------------------------------------------------


def write(path):
    frame = lab()
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".npz":
        np.savez(path, **{str(name): frame[name].to_numpy() for name in frame})
    elif path.suffix == ".npy":
        np.save(path, frame.to_records(index=False))
    else:
        frame.to_csv(path, index=False, sep={".tsv": "\t", ".txt": ";", ".dat": ","}.get(path.suffix, ","))


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".dat", ".parquet", ".npz", ".npy"])
def test_a_table_is_read_by_its_ending(tmp_path, ending):
    path = tmp_path / f"table{ending}"
    write(path)
    np.testing.assert_allclose(read_columns(path)["Id"], 1e6 * I_BL, rtol=1e-12)


RAW = """* the raw file of a sweep
v1 in 0 0.3
b1 out 0 i=1e-6*(v(in)-0.45)+20e-6*(v(in)-0.45)*(v(in)-0.45)*(v(in)-0.45)
v2 out 0 0.45
.dc v1 0 0.9 0.025
.save v(in) i(v2)
.control
set filetype={kind}
run
write table.raw
.endc
.end
"""


@pytest.mark.ngspice
@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_a_raw_file_of_ngspice_is_fitted(tmp_path, kind):
    (tmp_path / "a.cir").write_text(RAW.format(kind=kind))
    subprocess.run([which("ngspice"), "-b", "a.cir"], cwd=tmp_path, capture_output=True, check=False)
    frame = read_columns(tmp_path / "table.raw")
    assert {"v(in)", "i(v2)"} <= set(frame)
    reading = Reading(columns={"v_store": "v(in)", "i_bl": "i(v2)"})
    record, _ = fit(tmp_path / "table.raw", ["cubic"], reading)
    error = CUBIC(V, **record.fits[0].values()) - (-1e-6 * (V - 0.45) - 20e-6 * (V - 0.45) ** 3)
    assert np.abs(error).max() < 1e-12


def test_a_raw_file_of_ltspice_is_fitted(tmp_path):
    """Header in UTF-16, first column in doubles and the others in single precision, as LTspice writes a sweep."""
    head = (
        "Title: * a sweep\nDate: Sat Nov 21 10:00:00 2026\nPlotname: DC transfer characteristic\nFlags: real forward\n"
        f"No. Variables: 2\nNo. Points: {len(V):12d}\nOffset: 0.0000000000000000e+000\nCommand: Linear Technology "
        "Corporation LTspice XVII\nVariables:\n\t0\tv1\tvoltage\n\t1\tI(V2)\tdevice_current\nBinary:\n"
    )
    rows = np.zeros(len(V), dtype=[("v", "<f8"), ("i", "<f4")])
    rows["v"], rows["i"] = V, I_BL
    path = tmp_path / "sweep.raw"
    path.write_bytes(head.encode("utf-16-le") + rows.tobytes())
    found = cubic(path, Reading(columns={"v_store": "v1", "i_bl": "I(V2)"}))
    assert np.abs(CUBIC(V, **found.values()) - I_BL).max() < 1e-6 * np.ptp(I_BL)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.xlsx", b"x", "unknown file ending '.xlsx'; use .csv, .tsv"),
        ("t.npz", b"not a zip", "cannot be read as .npz"),
        ("t.parquet", b"x", "cannot be read as .parquet"),
        ("t.csv", b"a,b\n", "the table has no rows"),
        ("t.raw", b"Title: x\nnothing", "the table has no rows"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_columns(tmp_path / name)


def test_arrays_that_need_pickle_or_have_no_names_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"a \.npy file needs named fields"):
        read_columns(tmp_path / "a.npy")
    np.savez(tmp_path / "b.npz", a=np.zeros(3), b=np.zeros(4))
    with pytest.raises(DataError, match=r"the arrays have shapes \(3,\), \(4,\); one shape is needed"):
        read_columns(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", a=np.array([{}, {}], dtype=object))
    with pytest.raises(DataError, match=r"cannot be read as \.npz"):
        read_columns(tmp_path / "c.npz")
    assert ".raw" in ENDINGS


# --- what a table may hold ------------------------------------------------------------------------------------------


def test_a_current_in_microamperes_read_as_amperes_is_caught():
    with pytest.raises(DataError, match=r"i_bl reaches -?\d+\.\d+ A \(bitline current\), outside the plausible "
                                        r"range; did you mean --units i_bl=uA\?"):  # fmt: skip
        cubic(lab(), Reading(columns=LAB.columns, units={"v_store": "mV"}))
    with pytest.raises(
        DataError,
        match=r"v_store reaches 900 V \(stored voltage\), outside \[-0.5, 6\] V; did you mean --units v_store=mV",
    ):
        cubic(lab(), Reading(columns=LAB.columns, units={"i_bl": "uA"}))


@pytest.mark.parametrize("name", registry.record_names())
def test_no_record_of_ours_would_be_refused(name):
    """What a circuit gives is well inside what no circuit gives."""
    record = registry.load_record("gc28", name)
    bench = registry.load_circuit(record.circuit).bench(record.bench)
    for fit in record.fits:
        assert fit.full_range < 0.5 * bench.output(fit.output).plausible_max < np.inf


@pytest.mark.parametrize(
    ("frame", "reading", "says"),
    [
        (lab(), Reading(columns={"v_store": "nope", "i_bl": "Id"}), r"no column 'nope' for v_store; it has Vst \[mV\]"),
        (lab(), Reading(columns={"v_store": "Vst [mV]"}), r"model cubic needs i_bl; .* name the column with --map"),
        (lab(), Reading(columns=LAB.columns, units={"v_store": "mA"}), r"--units v_store=mA: v_store is in V; write"),
        (lab(), Reading(columns=LAB.columns, units={"vdd": "mV"}), "units of vdd, which is not a column of the table"),
        (lab(), Reading(columns=LAB.columns, units={"q": "C"}), "--units q=C: gain_cell, bench dc, has no .*'q'"),
        (lab(), Reading(columns={"v_sture": "Id"}), "--map v_sture=Id: .* has no .* 'v_sture'; have i_bl, vdd"),
        (lab(corner=1.0), LAB, "conditions: corner is 1.0; it must be a word, for example tt"),
        (lab(vdd=0.9), changed(fixed={"vdd": 1.0}), "--set vdd=1.0: table has vdd = 0.9; omit --set vdd"),
        (lab(), changed(fixed={"vdd": 99.0}), r"vdd = 99 V \(.*\) is outside"),
        (lab(), changed(sigma="s"), "no column 's' for --sigma"),
        (lab(s=0.0), changed(sigma="s"), "s, the standard deviation, must be above 0 everywhere"),
        (lab().assign(Id=["x", *(1e6 * I_BL[1:])]), LAB, "i_bl contains 'x' in row 1, not a number"),
        (lab().assign(Id=[np.nan, *(1e6 * I_BL[1:])]), LAB, "1 rows contain no number, the first is row 1; --nan drop"),
        (pd.concat([lab(), lab().iloc[3:5]]), LAB, r"2 rows repeat a point, the first at v_store = 0.075; --dup"),
        (lab().iloc[:3], LAB, "4 coefficients for 3 points"),
    ],
)  # fmt: skip
def test_what_will_not_do_is_said_in_one_sentence(frame, reading, says):
    with pytest.raises(RequestError, match=says):
        cubic(frame, reading)


def test_two_axes_of_which_one_does_not_vary_are_rank_deficient():
    """The ten published coefficients come from such a table."""
    frame = pd.DataFrame({"v_store": V, "v_in": 0.9, "i_bl": I_BL})
    with pytest.raises(DataError, match=r"cubic_2d needs v_in to vary; the table has only v_in = 0.9, and a fit would "
                                        r"be rank-deficient: .*; fewer inputs: cubic, ekv"):  # fmt: skip
        fit(frame, ["cubic_2d"], Reading())


def test_policies():
    holes = lab().assign(Id=[np.nan, *(1e6 * I_BL[1:])])
    record, remarks = fit(holes, ["cubic"], changed(nan="drop"))
    assert remarks == ["1 rows without a number left out"]
    assert (record.provenance.n_points, record.provenance.n_ok, record.provenance.n_failed) == (37, 36, 1)
    double = pd.concat([lab(), lab().assign(Id=1e6 * I_BL + 2.0)])
    record, remarks = fit(double, ["cubic"], changed(duplicates="mean"))
    assert remarks == ["37 repeated points averaged"]
    assert CUBIC(V, **record.fits[0].values()) == pytest.approx(I_BL + 1e-6, abs=1e-14)
    assert fit(double, ["cubic"], changed(duplicates="keep"))[0].provenance.n_ok == 74
    with pytest.raises(ParameterError, match="nan = 'ignore' is not one of refuse, drop"):
        Reading(nan="ignore")


def test_outliers_are_fitted_weighed_down_or_left_out():
    noise = 0.02 * np.random.default_rng(1).standard_normal(len(V))
    bad = 1e6 * I_BL + noise
    bad[[5, 20]] += 8.0
    errors = {}
    for policy in OUTLIERS:
        record, remarks = fit(lab().assign(Id=bad), ["cubic"], changed(outliers=policy))
        errors[policy] = np.abs(CUBIC(V, **record.fits[0].values()) - I_BL).max()
        assert remarks == (["2 outliers left out of cubic"] if policy == "drop" else [])
    assert errors["drop"] < 0.05e-6 < 0.3 * errors["keep"]
    assert errors["robust"] < 0.3 * errors["keep"]


@pytest.mark.slow
def test_standard_errors_of_measured_data_are_honest():
    """With a sigma that differs from point to point, 95 % intervals hold what they should."""
    rng = np.random.default_rng(2)
    sigma = 0.05 * (1 + 3 * (V > 0.6))
    inside = []
    for _ in range(200):
        frame = lab(s=sigma).assign(Id=1e6 * I_BL + sigma * rng.standard_normal(len(V)))
        found = cubic(frame, changed(sigma="s")).coefficients
        inside += [
            abs(found[n].value - v) < 1.96 * found[n].stderr for n, v in PUBLISHED.values().items() if found[n].stderr
        ]
    assert 0.92 < np.mean(inside) < 0.975


def test_what_a_grid_lacks_is_said_once():
    model = registry.load_circuit("gain_cell").model("cubic_2d")
    stored = registry.load_record("gc28", "gain_cell.dc").fit("cubic_2d")
    v, w = (x.ravel() for x in np.meshgrid(V, np.linspace(0.45, 0.9, 10)))
    frame = pd.DataFrame({"v_store": v, "v_in": w, "i_bl": model(v, w, **stored.values())})
    record, remarks = fit(frame.drop([3, 50]), ["cubic_2d", "ekv_2d"], Reading())
    assert remarks == ["the grid of 37 x 10 points lacks 2"]
    assert len(record.fits) == 2


# --- the command, and who uses the record ---------------------------------------------------------------------------


def test_the_command_makes_a_record_like_any_other(tmp_path, gaincell):
    lab(s=0.01).to_csv(tmp_path / "lab.csv", index=False)
    status, out, said = gaincell(
        "fit", "lab.csv", "-o", "gain_cell.dc.json", "--circuit", "gain_cell", "--model", "cubic", "--map",
        "v_store=Vst [mV],i_bl=Id", "--units", "v_store=mV,i_bl=uA", "--sigma", "s", "--set", "vdd=0.9",
        "--from", "chip 7",
    )  # fmt: skip
    assert status == 0, said
    assert "cubic" in out
    record = read_record(tmp_path / "gain_cell.dc.json")
    assert (record.circuit, record.bench, record.technology) == ("gain_cell", "dc", "chip 7")
    assert record.fits[0].cross_validation.n > 5
    assert "lab.csv, sha256 " in record.provenance.source
    assert json.loads(record.provenance.source.split("; ")[1])["units"] == {"v_store": "mV", "i_bl": "uA"}
    assert registry.find_record(tmp_path, "gain_cell.dc") == record


def test_a_network_can_be_trained_on_it(tmp_path):
    torch = pytest.importorskip("torch")
    from gaincell_char.torch import GainCell

    record, _ = fit(lab(), ["cubic"], LAB)
    (tmp_path / "gain_cell.dc.json").write_text(record.to_json())
    cell = GainCell.from_records(tmp_path, form="cubic")
    v_store = torch.tensor(V, requires_grad=True)
    charge = cell(v_store, torch.full((len(V),), 2e-9, dtype=torch.float64))
    np.testing.assert_allclose(charge.detach(), 2e-9 * I_BL, rtol=1e-9, atol=1e-24)
    charge.sum().backward()
    # Of the published polynomial, between the ends of the table.
    slope = 2e-9 * np.gradient(I_BL, V)[1:-1]
    np.testing.assert_allclose(v_store.grad[1:-1], slope, rtol=0, atol=0.02 * np.abs(slope).max())


# --- one way, wherever the table comes from ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(pool):
    """A table of ours."""
    axes = {"v_store": np.linspace(0, 0.9, 13).tolist(), "v_in": [0.45, 0.7, 0.9]}
    plan = registry.plan_bench("gain_cell", "dc", sweep=axes, temps=[27.0, 85.0])
    return characterize(plan, pool=pool).dataset


def everywhere(dataset, folder):
    """The same table as every kind of source."""
    for ending in tables.FORMATS:
        tables.write_dataset(dataset, folder / f"ours{ending}")
    frame = pd.read_parquet(folder / "ours.parquet")
    attributed = dataset.to_dataframe()
    attributed.attrs = dict(dataset.attrs)
    found = {f"ours{ending}": folder / f"ours{ending}" for ending in tables.FORMATS}
    return {
        **found,
        "dataset": dataset,
        "frame": frame,
        "indexed": attributed,
        "table": tables.read_table(found["ours.nc"]),
    }


@pytest.mark.ngspice
@pytest.mark.slow
def test_one_table_gives_one_record_wherever_it_is(simulated, tmp_path):
    sources = everywhere(simulated, tmp_path)
    records = {name: fit_table(source, models=["cubic", "ekv_2d"])[0] for name, source in sources.items()}
    assert {record.to_json() for record in records.values()} == {records["dataset"].to_json()}
    assert records["dataset"].technology == "gc28"
    assert records["dataset"].provenance.source == ""


@pytest.mark.ngspice
def test_every_option_works_on_every_source(simulated, tmp_path):
    bad = simulated.rename(v_store="Vst", i_bl="Id").assign_coords(Vst=simulated.v_store.to_numpy() * 1e3)
    bad["Id"] = bad["Id"] * 1e6
    bad["Id"][{"Vst": 4}] = np.nan
    bad["s"] = bad["Id"].fillna(1.0) * 0 + 0.01
    reading = Reading(
        columns=LAB.columns | {"v_store": "Vst"}, units=LAB.units, sigma="s", nan="drop", outliers="robust"
    )
    for name, source in everywhere(bad, tmp_path).items():
        record, remarks = fit_table(source, models=["cubic"], reading=reading)
        assert remarks == ["6 rows without a number left out"], name
        assert record.technology == "gc28"
        assert json.loads(record.provenance.source.split("; ")[1])["sigma"] == "s"
        whole = fit_table(simulated, models=["cubic"])[0].fit("cubic", temp=85.0)
        found = record.fit("cubic", temp=85.0).values()
        assert CUBIC(V, **found) == pytest.approx(CUBIC(V, **whole.values()), abs=0.02 * whole.full_range), name


@pytest.mark.ngspice
def test_a_coordinate_that_was_selected_is_a_condition(simulated):
    low = simulated.sel(v_in=0.45, temp=27.0)
    with pytest.raises(DataError, match=r"model cubic is valid at v_in = 0.9; the table has v_in = 0.45"):
        fit_table(low, models=["cubic"])
    record, _ = fit_table(simulated.sel(v_in=0.9, temp=27.0), models=["cubic"])
    assert record.fits[0].conditions == {"corner": "tt", "temp": 27.0, "v_in": 0.9, "v_bl": 0.45}
    assert record.fits[0] == fit_table(simulated, models=["cubic"])[0].fit("cubic", temp=27.0)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"circuit": "relu_c2p"}, "--circuit relu_c2p: table is of circuit gain_cell; omit --circuit"),
        ({"bench": "pulse"}, "--bench pulse: table is of bench dc; omit --bench"),
        ({"technology": "chip 7"}, "--from chip 7: table is of technology gc28; omit --from"),
        ({"models": ["charge"]}, "gain_cell has no model 'charge'|table is of bench dc: model charge is of bench"),
        ({"models": ["cubic_charge"]}, "table is of bench dc: model cubic_charge is of bench pulse"),
        ({"reading": Reading(fixed={"vdd": 1.0})}, "--set vdd=1.0: table has vdd = 0.9; omit --set vdd"),
        ({"reading": Reading(fixed={"v_in": 0.9})}, "--set v_in=0.9: table has v_in = 0.45; omit --set v_in"),
    ],
)
def test_what_contradicts_the_table_is_refused(simulated, asked, says):
    with pytest.raises(RequestError, match=says):
        fit_table(simulated, **{"models": ["cubic"], **asked})


@pytest.mark.ngspice
def test_what_a_table_says_already_is_no_contradiction(simulated):
    plain = fit_table(simulated, models=["cubic"])[0]
    same = fit_table(
        simulated, circuit="gain_cell", bench="dc", models=["cubic"], technology="gc28",
        reading=Reading(fixed={"vdd": 0.9}),
    )[0]  # fmt: skip
    assert (same.fits, same.parameters, same.technology) == (plain.fits, plain.parameters, plain.technology)


@pytest.mark.ngspice
def test_counts_that_contradict_each_other_are_refused(simulated):
    with pytest.raises(DataError, match=r"table: attribute .*999 good points and 0 failed ones are more than 78"):
        fit_table(simulated.assign_attrs(n_ok=999), models=["cubic"])


def test_models_of_a_table_from_elsewhere_need_not_be_named():
    record, remarks = fit_table(lab(), circuit="gain_cell", bench="dc", reading=LAB)
    assert [fit.model for fit in record.fits] == ["cubic", "ekv"]
    assert all(remark.startswith("left out: model ") for remark in remarks)


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (3, "table is of type int; it must be a path, a DataFrame or a Dataset"),
        (lab().head(0), "table: the table has no rows: there is nothing to fit"),
        (xr.Dataset({"i_bl": 1.0}), "table: the dataset has no dimension: there is nothing to fit"),
        (lab(Id=I_BL * 1j), "table: column Id contains complex numbers"),
    ],
)
def test_what_is_no_table_is_refused(odd, says):
    with pytest.raises(RequestError, match=says):
        fit(odd, ["cubic"], LAB)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--map", "v_store=a"), "lab.csv does not state its circuit; add --circuit NAME"),
        (("--circuit", "gain_cell"), "lab.csv does not state its bench; add --bench NAME"),
        (
            ("--circuit", "gain_cell", "--model", "cubic", "--map", "v_store"),
            "'v_store' is not an assignment: write NAME=COLUMN, or several with commas",
        ),
        (("--circuit", "gain_cell", "--model", "cubic", "--map", "v_store=a,v_store=b"), "v_store is given twice"),
        (
            ("--circuit", "gain_cell", "--model", "cubic", "--units", "v_store=mV,,i_bl=uA"),
            "--units 'v_store=mV,,i_bl=uA' contains an empty value; write values with one comma between them",
        ),
        (
            ("--circuit", "gain_cell", "--model", "cubic", "--model", "cubic_charge", "--map", "v_store=a"),
            "name models of one bench",
        ),
    ],
)
def test_a_request_that_makes_no_sense_ends_with_status_2(tmp_path, gaincell, words, says):
    lab().to_csv(tmp_path / "lab.csv", index=False)
    status, _, said = gaincell("fit", "lab.csv", "-o", "r.json", *words)
    assert status == 2
    assert says in said
    assert not (tmp_path / "r.json").exists()
