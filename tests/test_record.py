"""The JSON a software model loads: exact, versioned, complete."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.errors import DataError
from gaincell_char.fitting import fit
from gaincell_char.fitting.fit import Errors, Estimate, Fit
from gaincell_char.fitting.points import Selection
from gaincell_char.fitting.record import SCHEMA_VERSION, Origin, Provenance, Record, make_record, read_record

FITS = Path(__file__).parents[1] / "fits"
numbers = st.floats(allow_nan=False, allow_infinity=False)
labels = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{,7}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8)


def record(value=1.5, **changes):
    errors = Errors(n=3, rms=abs(value), nrmse=abs(value), worst=-value, worst_at={"v_store": value}, r2=value)
    found = Fit(
        model="toy", form="best", equation="y = a x", inputs=("v_store",), output="i_bl", unit="A",
        conditions={"temp": 27.0, "corner": "tt"},
        coefficients={"a": Estimate(value=value, stderr=value, unit="A/V", doc="slope"),
                      "b": Estimate(value=value, stderr=None, unit="V", doc="given")},
        covariance=[[abs(value)]], box={"v_store": (-abs(value), abs(value) or 1.0)}, full_range=abs(value),
        fitted=errors, held_out=errors,
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
    selection = Selection(inputs={"v_store": np.arange(3.0)}, output=np.array([1.0, 1.0, 2.0]), conditions={})
    errors = fit.compute_errors(selection, np.array([1.0, 1.1, 2.0]), np.array([True, True, False]))
    whole = record()
    whole = whole.model_copy(update={"fits": [whole.fits[0].model_copy(update={"held_out": errors})]})
    assert Record.from_json(whole.to_json()).fits[0].held_out.rms == errors.rms


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "1", None])
def test_another_schema_version_is_refused_with_the_one_that_is_read(version):
    raw = {**json.loads(record().to_json()), "schema_version": version}
    with pytest.raises(DataError, match=f"mine: schema version {version}; this package reads version {SCHEMA_VERSION}"):
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
    assert json.loads(whole.to_json()) == json.loads(text), "nothing in the file is ignored, nothing is filled in"
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
        middle = [np.array([sum(found.box[n]) / 2]) for n in found.inputs]
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
    "a box without a width": (
        lambda t: t["fits"][0]["box"].update(v_store=[0.0, 0.0]), "box of v_store does not end"),
    "a box without end": (
        lambda t: t["fits"][0]["box"].update(v_store=[-1e308, 1e308]), "no finite numbers in its box"),
}  # fmt: skip


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_an_impossible_record_is_refused_with_the_place(tmp_path, what):
    change, said = IMPOSSIBLE[what]
    path = tmp_path / "record.json"
    path.write_text(_edited(change))
    with pytest.raises(DataError, match=said) as refusal:
        registry.checked_record(path)
    assert str(refusal.value).count("\n") == 0
