"""The JSON a software model loads: exact, versioned, complete."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.errors import DataError
from gaincell_char.exporting import export
from gaincell_char.fitting.accuracy import CrossValidation, Errors, FreshErrors, compute_errors
from gaincell_char.fitting.fit import Estimate, Fit
from gaincell_char.fitting.points import Selection
from gaincell_char.fitting.record import SCHEMA_VERSION, Origin, Provenance, Record, make_record, read_record
from gaincell_char.fitting.versions import upgrade

FITS = Path(__file__).parents[1] / "fits"
numbers = st.floats(allow_nan=False, allow_infinity=False)
labels = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{,7}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8)


def record(value=1.5, **changes):
    errors = Errors(n=3, rms=abs(value), nrmse=abs(value), worst=-value, worst_at={"v_store": value}, r2=value)
    found = Fit(
        model="toy", form="fitted", equation="y = a x", inputs=("v_store",), output="i_bl", unit="A",
        conditions={"temp": 27.0, "corner": "tt"},
        coefficients={"a": Estimate(value=value, stderr=value, unit="A/V", doc="slope"),
                      "b": Estimate(value=value, stderr=None, unit="V", doc="given")},
        covariance=[[abs(value)]], valid_range={"v_store": (-abs(value), abs(value) or 1.0)}, full_range=abs(value),
        fitted=errors, cross_validation=CrossValidation(**errors.model_dump(), n_blocks=3, n_failed=1),
        fresh=FreshErrors(**errors.model_dump(), seed=5, n_failed=0),
    )  # fmt: skip
    whole = {
        "circuit": "gain_cell", "bench": "dc", "study": "dc", "technology": "toy", "fits": [found],
        "parameters": {"vdd": value, "write_flavour": "svt"}, "numerics": {"i_bl": abs(value)},
        "provenance": Provenance(simulator="ngspice 39", options={"gmin": value}, n_points=3, n_ok=3),
    }  # fmt: skip
    return Record(**{**whole, **changes})


@given(value=numbers, word=labels, text=texts)
@settings(max_examples=200, deadline=None)
def test_every_number_and_word_survives_to_the_last_bit(value, word, text):
    whole = record(value, parameters={"vdd": value, "flavour": word}, study=word)
    whole = whole.model_copy(update={"fits": [whole.fits[0].model_copy(update={"equation": text})]})
    assert Record.from_json(whole.to_json()) == whole


def test_coefficients_keep_their_order():
    assert list(Record.from_json(record().to_json()).fits[0].values()) == ["a", "b"]


def test_a_fit_of_points_that_all_agree_can_still_be_read_back():
    """R2 has no meaning where the data do not vary; the record must not become unreadable for that."""
    selection = Selection(inputs={"v_store": np.arange(2.0)}, output=np.array([1.0, 1.0]), conditions={})
    errors = compute_errors(selection, np.array([1.0, 1.1]), full_range=1.0)
    assert errors.r2 is None
    whole = record()
    whole = whole.model_copy(update={"fits": [whole.fits[0].model_copy(update={"fitted": errors})]})
    assert Record.from_json(whole.to_json()).fits[0].fitted.rms == errors.rms


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "1", None, True])
def test_another_schema_version_is_refused_with_the_one_that_is_read(version):
    raw = {**json.loads(record().to_json()), "schema_version": version}
    with pytest.raises(
        DataError, match=f"mine: schema version {version}; this package reads versions 1 and {SCHEMA_VERSION}"
    ):
        Record.from_json(json.dumps(raw), "mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "mine: not JSON"),
        ("[1, 2]", "mine: schema version None"),
        ("null", "mine: schema version None"),
        (json.dumps({"schema_version": SCHEMA_VERSION}), "mine: circuit: Field required"),
    ],
)
def test_what_is_no_record_is_refused_by_name(text, message):
    with pytest.raises(DataError, match=message):
        Record.from_json(text, "mine")


def test_a_field_that_is_wrong_is_named():
    raw = json.loads(record().to_json())
    raw["fits"][0]["coefficients"]["a"]["value"] = "large"
    with pytest.raises(DataError, match=r"mine: fits\.0\.coefficients\.a\.value: Input should be a valid number"):
        Record.from_json(json.dumps(raw), "mine")
    raw = {**json.loads(record().to_json()), "extra": 1}
    with pytest.raises(DataError, match=r"mine: extra: Extra inputs are not permitted"):
        Record.from_json(json.dumps(raw), "mine")


def test_a_record_is_read_from_its_file(tmp_path):
    (tmp_path / "record.json").write_text(record().to_json(), encoding="utf-8")
    assert read_record(tmp_path / "record.json") == record()
    with pytest.raises(DataError, match=r"record .*missing\.json cannot be read: No such file"):
        read_record(tmp_path / "missing.json")


def test_a_fit_is_found_by_model_and_conditions():
    hot = record().fits[0].model_copy(update={"conditions": {"temp": 85.0, "corner": "tt"}})
    whole = record(fits=[record().fits[0], hot])
    assert whole.fit("toy").conditions["temp"] == 27.0
    assert whole.fit("toy", temp=85.0) is whole.fits[1]
    with pytest.raises(
        DataError, match=r"gain_cell\.dc: no model 'toy' at temp = 99\.0; have toy at temp = 27.*; toy at .*85"
    ):
        whole.fit("toy", temp=99.0)
    with pytest.raises(DataError, match="no model 'other'; have toy"):
        whole.fit("other")


def test_a_record_carries_the_origin_of_its_dataset():
    attrs = {
        "circuit": "gain_cell", "bench": "dc", "technology": "toy", "parameters": '{"vdd": 0.9, "read_flavour": "rvt"}',
        "simulator": "ngspice 39", "package": "gaincell-char 0", "technology_digest": "t", "plan_digest": "p",
        "options": '{"gmin": 1e-15}', "n_points": 5, "n_ok": 4, "n_failed": 1,
    }  # fmt: skip
    made = make_record(origin=Origin.from_attrs(attrs, "mine"), study="fine", fits=[], numerics={"i_bl": 1e-6})
    assert (made.circuit, made.bench, made.study, made.technology) == ("gain_cell", "dc", "fine", "toy")
    assert made.parameters == {"vdd": 0.9, "read_flavour": "rvt"}
    assert made.numerics == {"i_bl": 1e-6}
    assert made.provenance == Provenance(
        simulator="ngspice 39", package="gaincell-char 0", technology_digest="t", plan_digest="p",
        options={"gmin": 1e-15}, n_points=5, n_ok=4, n_failed=1,
    )  # fmt: skip


PACKAGED = [(folder.name, name) for folder in FITS.iterdir() if folder.is_dir()
            for name in registry.record_names(folder.name)]  # fmt: skip


@pytest.mark.parametrize(("technology", "name"), PACKAGED)
def test_every_packaged_record_is_one_of_ours_and_its_models_evaluate(technology, name):
    whole = registry.load_record(technology, name)
    text = (FITS / technology / f"{name}.json").read_text(encoding="utf-8")
    assert Record.from_json(whole.to_json()) == whole
    raw = json.loads(text)
    today = upgrade(raw) if raw["schema_version"] == 1 else raw
    assert json.loads(whole.to_json()) == today, "nothing in the file is ignored, nothing is filled in"
    assert not whole.provenance.library, "the path of a library belongs to one machine"
    assert f"{whole.circuit}.{whole.study}" == name
    assert whole.technology == technology
    circuit = registry.load_circuit(whole.circuit)
    assert whole.fits or whole.spread
    for found in whole.fits:
        declared = circuit.model(found.model)
        assert list(found.coefficients) == list(declared.coefficients)
        assert {n: e.unit for n, e in found.coefficients.items()} == {
            n: c.unit for n, c in declared.coefficients.items()
        }
        assert (found.inputs, found.output, found.form) == (declared.inputs, declared.output, declared.form)
        assert found.unit == circuit.bench(whole.bench).output(found.output).unit
        middle = [np.array([sum(found.valid_range[n]) / 2]) for n in found.inputs]
        conditions = found.conditions
        assert np.isfinite(registry.load_model(whole, found.model, **conditions)(*middle)).all()


def test_an_unknown_record_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="no record 'nope' for 'nowhere'; have none"):
        registry.load_record("nowhere", "nope")


def test_a_folder_of_records_is_not_left_through_a_link(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "outside.json").write_bytes((FITS / "gc28" / "gain_cell.dc.json").read_bytes())
    link = tmp_path / "records" / "gain_cell.dc.json"
    link.symlink_to(tmp_path / "outside.json")
    with pytest.raises(DataError, match="is a link out of its folder; replace it by the file itself"):
        registry.find_record(tmp_path / "records", "gain_cell.dc")
    link.unlink()
    (tmp_path / "outside.json").rename(link)
    assert registry.find_record(tmp_path / "records", "gain_cell.dc").study == "dc"


def _edited(change):
    """The packaged record of a cell's current, changed in one place of its JSON."""
    tree = json.loads((FITS / "gc28" / "gain_cell.dc.json").read_text())
    change(tree)
    return json.dumps(tree)


IMPOSSIBLE = {
    "a coefficient that overflows": (
        lambda t: t["fits"][0]["coefficients"]["c0"].update(value=1e308), "c0 of cubic is 1e.308"),
    "a negative range": (lambda t: t["fits"][0].update(full_range=-1.0), "full_range: .*greater than or equal to 0"),
    "a negative rms": (lambda t: t["fits"][0]["fitted"].update(rms=-1.0), "rms: .*greater than or equal to 0"),
    "a negative count": (lambda t: t["fits"][0]["fitted"].update(n=-3), "n: .*greater than or equal to 0"),
    "more good points than points": (lambda t: t["provenance"].update(n_ok=10**6), "are more than"),
    "a word for a temperature": (lambda t: t["fits"][0]["conditions"].update(temp="x"), "temp is 'x'"),
    "a temperature below zero kelvin": (lambda t: t["fits"][0]["conditions"].update(temp=-500.0), "temp is -500"),
    "a number for a corner": (lambda t: t["fits"][0]["conditions"].update(corner=1.0), "corner is 1.0"),
    "a negative variance": (lambda t: t["fits"][0]["covariance"][0].__setitem__(0, -1.0), "variance .* is negative"),
    "one fit twice": (lambda t: t["fits"].append(t["fits"][0]), "two fits of cubic at corner = tt, temp = 27"),
    "another unit": (lambda t: t["fits"][0].update(unit="kg"), "i_bl is in kg; bench dc gives A"),
    "another unit of a coefficient": (
        lambda t: t["fits"][0]["coefficients"]["c1"].update(unit="kg"), "c1 of cubic is in kg; the model takes A/V"),
    "a range without a width": (
        lambda t: t["fits"][0]["valid_range"].update(v_store=[0.0, 0.0]), "range of v_store does not end"),
    "a range without end": (
        lambda t: t["fits"][0]["valid_range"].update(v_store=[-1e308, 1e308]), "no finite numbers in its valid"),
}  # fmt: skip


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_an_impossible_record_is_refused_with_the_place(tmp_path, what):
    change, said = IMPOSSIBLE[what]
    path = tmp_path / "record.json"
    path.write_text(_edited(change))
    with pytest.raises(DataError, match=said) as refusal:
        registry.checked_record(path)
    assert str(refusal.value).count("\n") == 0


OLD = Path(__file__).parent / "data" / "version_1" / "gain_cell.pulse.json"


def test_a_record_of_version_1_is_read_with_what_it_says():
    """Coefficients and errors as they are; its held-out points are no cross-validation."""
    raw, found = json.loads(OLD.read_text()), registry.checked_record(OLD)
    for said, fit in zip(raw["fits"], found.fits, strict=True):
        assert fit.values() == {name: c["value"] for name, c in said["coefficients"].items()}
        assert {name: list(ends) for name, ends in fit.valid_range.items()} == said["box"]
        assert fit.fitted.model_dump() == said["fitted"]
        assert fit.held_out.model_dump() == said["held_out"]
        assert (fit.cross_validation, fit.fresh) == (None, None)
        assert (fit.stated, fit.stated_on) == (fit.held_out, "held-out points")
    assert [fit.form for fit in found.fits] == ["published", "fitted"]
    assert [said["form"] for said in raw["fits"]] == ["paper", "best"]


def test_a_record_of_version_1_is_written_as_version_2():
    found = registry.checked_record(OLD)
    written = json.loads(found.to_json())
    assert written["schema_version"] == SCHEMA_VERSION
    assert written["fits"][0]["held_out"]["n"] == found.fits[0].held_out.n
    assert Record.from_json(found.to_json()) == found
    assert "held_out" not in record().to_json(), "a record of today has none"


def test_random_models_of_version_1_are_read():
    raw = json.loads(registry.load_record("gc28", "gain_cell.dc_both").to_json())
    old = {**raw, "schema_version": 1, "fits": []}
    for fit in old["spread"]["random"]:
        fit["box"] = fit.pop("valid_range")
    found = Record.from_json(json.dumps(old)).spread.random[0]
    assert found == registry.load_record("gc28", "gain_cell.dc_both").spread.random[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw["fits"][0].update(valid_range={}), "box: Extra inputs are not permitted"),
        (lambda raw: raw["fits"][0].pop("box"), "valid_range: Field required"),
        (lambda raw: raw.update(fits=3), "fits: Input should be a valid list"),
        (lambda raw: raw.update(fits=[3]), r"fits\.0: Input should be"),
        (lambda raw: raw.update(spread={"random": [3]}), "spread"),
        (lambda raw: raw["fits"][0].update(form=3), "form: Input should be a valid string"),
    ],
)
def test_a_damaged_record_of_version_1_is_refused(change, said):
    raw = json.loads(OLD.read_text())
    change(raw)
    with pytest.raises(DataError, match=said):
        Record.from_json(json.dumps(raw), "mine")


def test_a_record_of_version_1_is_exported_and_loaded_as_a_module(tmp_path):
    torch = pytest.importorskip("torch")
    from gaincell_char.torch import load_exported
    from gaincell_char.torch.elements import Element

    old = registry.checked_record(OLD)
    for target in ("csv", "json-schema", "spice", "torch", "verilog-a"):
        export(old, target, tmp_path / target)
    text = (tmp_path / "spice" / "gain_cell.cir").read_text()
    assert "on held-out points" in text
    v_store, t_pulse = (torch.linspace(*old.fits[1].valid_range[name], 7) for name in old.fits[1].inputs)
    element = Element(registry.load_model(old, "softplus_charge"))
    assert torch.equal(
        load_exported(tmp_path / "torch", "softplus_charge")(v_store, t_pulse), element(v_store, t_pulse)
    )


def test_models_that_were_exported_for_torch_in_version_1_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    from gaincell_char.torch import load_exported

    export(registry.checked_record(OLD), "torch", tmp_path)
    about = tmp_path / "model.json"
    raw = json.loads(about.read_text())
    for fit in raw["fits"]:
        assert (fit.pop("cross_validation"), fit.pop("fresh")) == (None, None)
        fit["box"] = fit.pop("valid_range")
        fit["form"] = {"published": "paper", "fitted": "best"}[fit["form"]]
    inputs = torch.tensor(0.8), torch.tensor(1e-8)
    today = load_exported(tmp_path, "softplus_charge")
    about.write_text(json.dumps({**raw, "schema_version": 1}))
    old = load_exported(tmp_path, "softplus_charge")
    assert old.model.fit == today.model.fit
    assert torch.equal(old(*inputs), today(*inputs))
    about.write_text(json.dumps({**raw, "schema_version": 3}))
    with pytest.raises(DataError, match="schema version 3; this package reads 1 and 2"):
        load_exported(tmp_path, "softplus_charge")
