"""Every export is read back: by ngspice beside the transistors, by a parser, by the program it is meant for."""

import io
import json
import re
import shutil
import subprocess
from functools import cache

import jsonschema
import numpy as np
import pandas as pd
import pytest

from gaincell_char import registry
from gaincell_char.errors import ExportError, GaincellError
from gaincell_char.exporting import export, export_files, export_names, load_target, printing
from gaincell_char.exporting.templates import fill_template
from gaincell_char.exporting.trace import Functions, make_symbol, to_expression, trace_model
from gaincell_char.fitting.record import Record
from gaincell_char.sweeping.run import characterize
from gaincell_char.sweeping.scattered import characterize_scattered
from gaincell_char.workflows.fresh_points import draw_runs
from gaincell_char.workflows.study_plans import plan_study

MACROS = {"gain_cell.pulse": "ekv_charge", "relu_c2p.transfer": "relu_knee", "signed_c2p.transfer": "signed_knee"}
ALL = [(records, name) for records in registry.record_sets() for name in registry.record_names(records)]
each_macro = pytest.mark.parametrize("name", MACROS)
CURRENTS, CHARGES, CONVERTERS = (
    {f"{records}/{name}" for records in ("gc28", "sky130", "gf180mcu", "ihp-sg13g2", "osfet") for name in names}
    for names in (
        ("gain_cell.dc", "gain_cell.dc_corners", "gain_cell_switched.dc", "gain_cell_switched.dc_corners"),
        ("gain_cell.pulse", "gain_cell_switched.pulse"),
        ("relu_c2p.transfer", "signed_c2p.transfer"),
    )
)
SAMPLED = ("gc28", "sky130", "gf180mcu")
CELLS_THAT_DIFFER = {
    f"{records}/{name}"
    for records in SAMPLED
    for name in (
        "gain_cell.dc_both",
        "gain_cell.dc_mismatch",
        "gain_cell.pulse_both",
        "gain_cell_switched.dc_both",
        "gain_cell_switched.pulse_both",
    )
}
CONVERTERS_THAT_DIFFER = {
    f"{records}/{name}.transfer_both" for records in SAMPLED for name in ("relu_c2p", "signed_c2p")
}
PUBLISHED = {"paper/gain_cell.dc"}  # a polynomial alone, with nothing at its ports
# Their samples have no model.
WITHOUT_MODEL = {
    f"{records}/{name}_both"
    for records in SAMPLED
    for name in ("capacitor_decay.decay", "gain_cell.energy", "gain_cell.write")
}
EVERY = {f"{records}/{name}" for records, name in ALL}
CELLS = CURRENTS | CHARGES | CELLS_THAT_DIFFER
TAKES = {
    "aihwkit": CELLS | PUBLISHED,
    "crosssim": CELLS | PUBLISHED,
    "csv": EVERY - WITHOUT_MODEL,
    "gaincellattention": CURRENTS | PUBLISHED,
    "json-schema": EVERY,
    "neurosim": CELLS_THAT_DIFFER | CONVERTERS_THAT_DIFFER,
    "spice": CELLS | CONVERTERS | CONVERTERS_THAT_DIFFER,
    "torch": EVERY - WITHOUT_MODEL,
    "verilog-a": CELLS | CONVERTERS | CONVERTERS_THAT_DIFFER,
}
# Eighteen nested steps: no target takes it, and its formula would fill a book.
UNTRACED = {"four_leaks", "oxide_decay"}


def macro(name):
    record = registry.load_record("gc28", name)
    return record, export_files(record, "spice")[f"{record.circuit}.cir"]


def on_grid(dataset, fit):
    """Inputs and output of every point, flat."""
    table = dataset[fit.output].squeeze(drop=True).to_dataframe().reset_index()
    return [table[i].to_numpy() for i in fit.inputs], table[fit.output].to_numpy()


@each_macro
@pytest.mark.slow
def test_the_macro_model_differs_from_the_transistors_by_what_the_record_states(name, pool):
    """Same bench, both run, at the fresh points of the record: its error is the one stated there, no more."""
    record, text = macro(name)
    fit = record.fit(MACROS[name])
    circuit = registry.load_circuit(record.circuit)
    [study] = [study for study in circuit.studies if study.key == record.study]
    own = plan_study(circuit, study, record.technology)
    runs = [at for place, at in draw_runs(own, record.fits) if place.holds(fit)]
    tables = []
    for netlist in (text, None):
        plan = registry.plan_bench(record.circuit, record.bench, netlist=netlist)
        result = characterize_scattered(plan, runs, pool)
        assert not result.failures
        tables.append(result.table)
    macro_output, transistor_output = (table[fit.output].to_numpy() for table in tables)
    error = macro_output - transistor_output
    assert error.size == fit.fresh.n
    assert np.sqrt(np.mean(error**2)) <= 1.05 * fit.fresh.rms
    assert np.abs(error).max() <= 1.05 * abs(fit.fresh.worst)
    realised = macro_output - registry.load_model(record, fit.model)(*(tables[0][i].to_numpy() for i in fit.inputs))
    assert np.sqrt(np.mean(realised**2)) <= 0.05 * fit.fresh.rms


@each_macro
def test_the_macro_model_has_the_ports_of_the_transistor_netlist_and_no_transistor(name):
    record, text = macro(name)
    ports = re.compile(rf"^\.subckt {record.circuit} (.*)$", re.MULTILINE)
    assert ports.search(text)[1] == " ".join(registry.load_netlist(record.circuit).subcircuits[record.circuit].ports)
    assert not re.search(r"^[xm]", text, re.MULTILINE)
    for coefficient, value in record.fit(MACROS[name]).values().items():
        assert f"+ {coefficient}={value!r}\n" in text


@pytest.mark.ngspice
@pytest.mark.skipif(not shutil.which("ngspice"), reason="the ngspice program is not installed, only its library")
@each_macro
def test_a_deck_with_the_macro_model_runs_in_ngspice_by_hand(name, tmp_path):
    record, text = macro(name)
    fit = record.fit(MACROS[name])
    values = {i: 0.6 * fit.valid_range[i][1] for i in fit.inputs}
    plan = registry.plan_bench(record.circuit, record.bench, netlist=text, sweep={i: [v] for i, v in values.items()})
    point = next(iter(plan.points()))
    saved = plan.bench.save
    (tmp_path / ".spiceinit").write_text("set num_threads=1\n")
    run = f".control\nset wr_singlescale\nset wr_vecnames\nset numdgt=14\nrun\nwrdata out {' '.join(saved)}\n.endc\n"
    (tmp_path / "deck.cir").write_text(point.deck.text.removesuffix(".end\n") + run + ".end\n")
    # Its status is 1 for want of a .print line, whatever happened; the file tells.
    subprocess.run([shutil.which("ngspice"), "-b", "deck.cir"], cwd=tmp_path, check=False, capture_output=True)
    columns = np.loadtxt(next(tmp_path.glob("out*")), skiprows=1).T
    waves = dict(zip(["time", *saved], columns, strict=True))
    measured = plan.bench.output(fit.output).measure(waves, point.deck.params)
    expected = registry.load_model(record, fit.model)(*(np.array(v) for v in values.values()))
    assert measured == pytest.approx(float(expected), abs=0.05 * fit.stated.rms + 1e-5 * abs(float(expected)))


@pytest.mark.parametrize("model", ["ekv", "cubic", "ekv_2d", "cubic_2d"])
def test_a_held_current_is_exported_from_the_dc_record_too(model, pool):
    record = registry.load_record("gc28", "gain_cell.dc")
    text = export_files(record, "spice", model=model)["gain_cell.cir"]
    sweep = {"v_store": [0.0, 0.3, 0.9], "v_in": [0.6, 0.9] if model.endswith("2d") else [0.9], "v_bl": [0.45]}
    result = characterize(registry.plan_bench("gain_cell", "dc", netlist=text, sweep=sweep), pool=pool)
    inputs, output = on_grid(result.dataset, record.fit(model))
    np.testing.assert_allclose(output, registry.load_model(record, model)(*inputs), rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("name", registry.circuit_names())
def test_what_is_printed_of_a_traced_model_computes_the_same(name):
    """In Python, and in SPICE's words."""
    circuit = registry.load_circuit(name)
    words = {"ln": np.log, "exp": np.exp, "abs": np.abs, "min": np.minimum, "max": np.maximum, "pow": np.power}
    rng = np.random.default_rng(0)
    records = [registry.load_record("gc28", r) for r in registry.record_names("gc28") if r.split(".")[0] == name]
    fits = {fit.model: fit for record in records for fit in record.fits if fit.model not in UNTRACED}
    for fit in fits.values():
        model = circuit.model(fit.model)
        inputs = {i: rng.uniform(*fit.valid_range[i], 500) for i in fit.inputs}
        expected = model(*inputs.values(), **fit.values())
        formula = trace_model(model)
        values = {**inputs, **fit.values(), "np": np, **words}
        for language in (printing.format_python, printing.format_spice):
            printed = eval(language(formula, lambda symbol: symbol), values)  # noqa: S307  our own text
            np.testing.assert_allclose(printed, expected, rtol=0, atol=1e-13 * fit.full_range, err_msg=fit.model)


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "sqrt", "abs"])
def test_every_function_that_models_use_is_printed_in_words_of_the_language(name):
    """Whether a packaged model uses it or not."""
    formula = to_expression(getattr(Functions, name)(make_symbol("x")))
    words = {"ln": np.log, "exp": np.exp, "abs": np.abs, "pow": np.power}
    for printed, known in (
        (printing.format_python(formula, str), {"np": np}),
        (printing.format_spice(formula, str), words),
        (printing.format_verilog_a(formula, str), words),
    ):
        computed = eval(printed, {**known, "x": 0.7})  # noqa: S307  our own text
        assert computed == pytest.approx(getattr(np, name)(0.7), rel=1e-15)


@pytest.mark.parametrize("target", export_names())
def test_every_record_is_exported_with_its_origin_or_refused_with_a_reason(target):
    refusals, done = [], set()
    for records, name in ALL:
        record = registry.load_record(records, name)
        try:
            content = export_files(record, target)
        except ExportError as error:
            refusals.append(str(error))
            continue
        done.add(f"{records}/{name}")
        text = "".join(t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in content.values())
        assert re.search(r"digest[\": ]+[0-9a-f]{16}", text), f"{target} {name}"
    assert done == TAKES[target]
    assert all(re.search(r"lost|cannot express|needs|contains no sigma", said) for said in refusals)


@pytest.mark.parametrize(
    ("name", "target", "model", "said"),
    [
        ("gain_cell.energy", "spice", None, "energy.*would be lost"),
        ("gain_cell.dc", "gaincellattention", "ekv", "not one; the shape beyond third order would be lost"),
        ("relu_c2p.transfer", "gaincellattention", "hard_sigmoid", "needs the current of an attention head's cell"),
        ("capacitor_decay.decay", "verilog-a", "four_leaks", "does not determine currents and voltages at the ports"),
        ("gain_cell.pulse", "neurosim", None, "contains no sigma"),
        ("gain_cell.write", "crosssim", None, "not the response of a cell to a pulse"),
        ("gain_cell.dc", "postscript", None, "no export format 'postscript'; have aihwkit"),
        ("gain_cell.dc", "csv", "spline", "no model 'spline'; have cubic at corner = tt"),
    ],
)
def test_what_cannot_be_expressed_is_refused_and_nothing_is_written(name, target, model, said, tmp_path):
    with pytest.raises(GaincellError, match=said) as refusal:
        export(registry.load_record("gc28", name), target, tmp_path / "out", model=model)
    assert refusal.value.exit_status == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("separator", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_no_value_brings_a_line_into_a_program(separator):
    """Whatever reaches a template: the lines of an exported program are those of the template."""
    lines = ["first", f"second{separator}third"]
    with pytest.raises(ExportError, match=r"'second.*third' cannot be exported: it must have one line"):
        fill_template("gaincell_circuit.py.j2", notes=lines)
    with pytest.raises(ExportError, match="it must have one line"):
        fill_template("gaincell_circuit.py.j2", notes=[f"last{separator}"])
    assert fill_template("gaincell_circuit.py.j2", notes=lines[:1]).startswith("# first\n")


def test_a_file_that_differs_is_never_overwritten(tmp_path):
    record = registry.load_record("gc28", "gain_cell.pulse")
    [written] = export(record, "spice", tmp_path)
    assert export(record, "spice", tmp_path) == [written]
    written.write_text("mine")
    with pytest.raises(GaincellError, match="exists and differs"):
        export(record, "spice", tmp_path)
    assert written.read_text() == "mine"


def test_the_command_writes_what_python_writes(gaincell, tmp_path):
    status, out, _ = gaincell("export", "gc28/relu_c2p.transfer", "--to", "spice", "--out", "macro")
    assert status == 0
    assert "relu_c2p.cir" in out
    assert (tmp_path / "macro" / "relu_c2p.cir").read_text() == macro("relu_c2p.transfer")[1]
    status, out, _ = gaincell("export", "--list")
    assert status == 0
    assert all(name in out and load_target(name).doc.split()[0] in out for name in export_names())
    wanted = ("--model", "cubic", "--at", "corner=ss", "--at", "temp=125")
    status, _, _ = gaincell("export", "gc28/gain_cell.dc_corners", "--to", "csv", *wanted)
    assert status == 0
    assert "corner = ss, temp = 125.0" in (tmp_path / "gain_cell.cubic.table.csv").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense", "--to", "csv"), "no record 'nonsense'; give a .json file, or TECH/CIRCUIT.STUDY"),
        (("gc28/nonsense", "--to", "csv"), "no record 'nonsense' for 'gc28'"),
        (("missing.json", "--to", "csv"), "record missing.json cannot be read: No such file"),
        (("gc28/gain_cell.dc", "--to", "csv", "--at", "temp"), "write NAME=VALUE"),
        (("gc28/gain_cell.dc", "--to", "csv", "--at", "temp=85"), "no model at these conditions"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_status_2(gaincell, words, said):
    status, _, err = gaincell("export", *words)
    assert status == 2
    assert said in err


def test_tables_hold_the_coefficients_and_the_model():
    record = registry.load_record("gc28", "gain_cell.dc")
    content = export_files(record, "csv", model="ekv_2d")
    coefficients = pd.read_csv(io.StringIO(content["gain_cell.ekv_2d.coefficients.csv"]), comment="#")
    assert dict(zip(coefficients["name"], coefficients["value"], strict=True)) == record.fit("ekv_2d").values()
    table = pd.read_csv(io.StringIO(content["gain_cell.ekv_2d.table.csv"]), comment="#")
    expected = registry.load_model(record, "ekv_2d")(table["v_store"].to_numpy(), table["v_in"].to_numpy())
    np.testing.assert_allclose(table["i_bl"], expected, rtol=1e-12)
    assert (table["v_in"].min(), table["v_in"].max()) == record.fit("ekv_2d").valid_range["v_in"]


@cache
def _validator(schema):
    """Of a schema that is one: to look at it takes longer than to look at a record, and all records have the same."""
    jsonschema.Draft202012Validator.check_schema(json.loads(schema))
    return jsonschema.Draft202012Validator(json.loads(schema))


@pytest.mark.parametrize(("records", "name"), ALL)
def test_every_packaged_record_keeps_to_the_schema(records, name):
    record = registry.load_record(records, name)
    content = export_files(record, "json-schema")
    schema = json.loads(content["record.schema.json"])
    comment = schema.pop("$comment")
    raw = json.loads(content[f"{name}.json"])
    _validator(json.dumps(schema)).validate(raw)
    assert isinstance(comment, str)
    assert Record.model_validate(raw) == record


def test_a_record_that_lacks_something_breaks_the_schema():
    content = export_files(registry.load_record("paper", "gain_cell.dc"), "json-schema")
    schema, raw = json.loads(content["record.schema.json"]), json.loads(content["gain_cell.dc.json"])
    del raw["fits"][0]["coefficients"]["c0"]["unit"]
    with pytest.raises(jsonschema.ValidationError, match="'unit' is a required property"):
        jsonschema.validate(raw, schema)


@pytest.mark.parametrize("name", registry.circuit_names())
def test_a_macro_names_what_its_circuit_declares(name):
    circuit = registry.load_circuit(name)
    for macro in circuit.macros:
        models = [model for model in circuit.models if model.name in macro.models]
        declared = circuit.params | circuit.bench(models[0].bench).params
        assert set(macro.parameters) <= set(declared)
        for text in filter(None, (macro.spice, macro.verilog_a)):
            assert set(re.findall(r"<(\w+)>", text.text)) == (set(macro.quantities) or {models[0].output})
            assert set(re.findall(r"\{(\w+)\}", text.text)) <= set(macro.parameters)
        assert macro.not_modelled


@pytest.mark.parametrize("name", ["relu_c2p", "signed_c2p"])
def test_a_converter_of_formulas_starts_anew_after_a_reset(name, pool):
    """Two conversions: the second pulse is the model's, whatever the first was."""
    record, text = macro(f"{name}.transfer")
    fit = record.fit(MACROS[f"{name}.transfer"])
    full = 1.2e-12 if name == "relu_c2p" else 0.6e-12
    sweep = {"q_prev": [0.0, full], "q_in": [0.05 * full, 0.5 * full]}
    result = characterize(registry.plan_bench(name, "memory", netlist=text, sweep=sweep), pool=pool)
    assert not result.failures
    expected = registry.load_model(record, fit.model)(np.array(sweep["q_in"]))
    for q_prev in sweep["q_prev"]:
        pulse = result.dataset[fit.output].squeeze(drop=True).sel(q_prev=q_prev)
        np.testing.assert_allclose(pulse, expected, atol=0.05 * fit.stated.rms)
