"""The report of a circuit made up for it: no simulator is needed to judge what is drawn and written."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gaincell_char import registry, reporting
from gaincell_char.declare.bench import Bench, Op, Output
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Figure, Merit, Study
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.parameters import Params, number, numbers
from gaincell_char.errors import ParameterError, RequestError
from gaincell_char.fitting.accuracy import LargestError, RowError
from gaincell_char.fitting.fit import fit_all
from gaincell_char.fitting.solve import LeftOut
from gaincell_char.reporting import figures, page_tables, picture_layout, text
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.storage.tables import flatten_dataset
from gaincell_char.sweeping.plan import make_plan
from gaincell_char.sweeping.run import Failure
from gaincell_char.workflows import fresh_points
from gaincell_char.workflows.characterize_all import CircuitResult, StudyResult
from gaincell_char.workflows.fresh_points import FreshPoints

pytestmark = pytest.mark.pictures

MINUS = "\N{MINUS SIGN}"
HOSTILE = "<script>alert('x')</script> & $\\frac{$"
TEMPS, BIAS = (27.0, 85.0), (0.1, 0.2, 0.3)
VOLTS = tuple(np.linspace(0, 0.9, 16))
BENCH = Bench(
    name="dc", doc="current <b>of</b> a resistor", stimulus="v1 a 0 {v}\nvb b 0 {bias}\nx1 a b toy",
    analysis=Op(), params=Params(v=number(0.0, "V", "drive"), bias=number(0.0, "V", "bias")), save=("i(v1)",),
    sweep={"v": VOLTS, "bias": BIAS},
    outputs=(Output(name="i", unit="A", doc="current", measure=lambda w, _: -w["i(v1)"][0]),),
)  # fmt: skip


def _model(name, form, function, **units):
    coefficients = {n: Coefficient(unit=u, doc=f"{n} {HOSTILE}", start=0.0, scale=1e-6) for n, u in units.items()}
    return Model(
        name=name, form=form, bench="dc", function=function, output="i", linear=True,
        equation=f"i = g v^2 {HOSTILE}", arguments=coefficients,
    )  # fmt: skip


LINE = _model("line", "published", lambda v, bias, *, g: g * v + 0 * bias, g="S")
CURVE = _model("curve", "fitted", lambda v, bias, *, g, h, b: g * v + h * v * v + b * bias, g="S", h="A/V^2", b="S")
TOY = Circuit(
    name="toy", title=f"Toy {HOSTILE}", params=Params(r=number(1e3, "Ohm", HOSTILE)), benches=(BENCH,),
    models=(LINE, CURVE), studies=(Study(bench="dc", temps=TEMPS),),
    figures=(
        Figure(study="dc", output="i", x="v", group_by="bias", title="By bias", models=("line", "curve")),
        Figure(study="dc", output="i", x="v", title=f"Alone {HOSTILE}", at={"bias": 0.2, "temp": 85.0}),
    ),
    merits=(Merit(name="peak", unit="A", doc=HOSTILE, study="dc", compute=lambda d, _: float(d.i.max())),),
)  # fmt: skip


def _current(v, bias, temp):
    """Cubic in v."""
    return 1e-6 * (v + 0.4 * v**2 + 0.1 * v**3 + 0.5 * bias) * (1 + v * temp / 200)


def _fresh(plan, fits, lost):
    """Random points of every place where a fit holds; the first `lost` of each have failed."""
    rng, tables, run = np.random.default_rng(3), [], 0
    for place in fresh_points.list_places(plan, fits):
        table = pd.DataFrame({name: rng.uniform(*ends, 20) for name, ends in place.valid_range.items()})
        table = table.assign(**place.conditions).assign(run=range(run, run + 20), status="ok", reason="")
        run += 20
        table["i"] = _current(*(table.get(name, 0.0) for name in ("v", "bias", "temp")))
        table.loc[: lost - 1, ["status", "reason"]] = "failed", "singular"
        tables.append(fresh_points.PlaceTable(place=place, table=table))
    failures = [Failure(where={"corner": "tt"}, reason="singular", deck="* deck", log="")] * (lost * len(tables))
    return FreshPoints(seed=3, tables=tables, failures=failures)


def _study(circuit, *, lost=(), fitted=True, fresh_lost=0):
    """A study whose current is cubic in v; the points at the indices `lost` have failed."""
    study = circuit.studies[0]
    netlist = as_netlist(".subckt toy a b\nr1 a b {r}\n.ends")
    plan = make_plan(circuit, study.bench, registry.load_technology(), netlist, temps=study.temps, sweep=study.sweep)
    dims = tuple(plan.dims)
    coords = {
        name: (name, np.array(values, dtype=object if name == "corner" else float))
        for name, values in plan.dims.items()
    }
    temp, v, bias = np.meshgrid(plan.temps, plan.sweep["v"], plan.sweep["bias"], indexing="ij")
    current = _current(v, bias, temp)[np.newaxis]
    status = np.full(plan.shape, "ok", dtype=object)
    for index in lost:
        current[index], status[index] = np.nan, "failed"
    dataset = xr.Dataset({"i": (dims, current), "status": (dims, status)}, coords)
    dataset["reason"] = dataset.status.where(dataset.status == "ok", f"singular {HOSTILE}").where(
        dataset.status != "ok", ""
    )
    dataset.attrs = {"n_points": plan.size, "n_ok": plan.size - len(lost), "n_failed": len(lost)}
    for name, unit, doc in (("i", "A", "current"), ("v", "V", "drive"), ("bias", "V", "bias"), ("temp", "degC", "")):
        dataset[name].attrs = {"units": unit, "long_name": doc}
    kept = [Failure(where=plan.point(i).where, reason=f"singular {HOSTILE}", deck="* deck", log=HOSTILE) for i in lost]
    fits, left_out = fit_all(
        circuit.models if fitted else (), flatten_dataset(dataset), dims, numbers(plan.fixed), {"i": "A"}
    )
    fresh = _fresh(plan, fits, fresh_lost)
    return StudyResult(
        study=study, plan=plan, dataset=dataset, failures=(*kept, *fresh.failures), left_out=left_out,
        fits=fresh_points.add_errors(fits, fresh, circuit), fresh=fresh, numerics={"i": 3e-6}, n_checked=8, wall_s=1.25,
    )  # fmt: skip


LOST = [(0, 0, 3, 1), (0, 1, 15, 2)]
BARE = replace(TOY, figures=())


def _result(circuit=TOY, **kwargs):
    study = _study(circuit, **kwargs)
    merits = tuple((m, m.compute(study.dataset, {})) for m in circuit.merits)
    return CircuitResult(circuit=circuit, params=numbers(study.plan.fixed), studies={"dc": study}, merits=merits)


def _write(out, results):
    return reporting.write_report(out, registry.load_technology(), results, simulator="ngspice 45", wall_s=12.0)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "data").mkdir()
    (folder / "data" / "toy.dc.csv").write_text("v,i\n")
    _write(folder, [_result(lost=LOST)])
    return folder


def _page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def _words(svg):
    """What an SVG says, as a reader would search for it."""
    return re.sub(
        r"\s+", " ", " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)).replace("\N{NO-BREAK SPACE}", " ")
    )


def test_every_picture_is_there_as_png_and_svg(out):
    names = ["overview", "toy.dc.i", "toy.dc.i.by_bias.27degC", "toy.dc.i.by_bias.85degC"]
    found = sorted(p.name for p in (out / "figures").iterdir())
    assert found == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))
    for path in (out / "figures").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"figures/{path.name}" in _page(out) or path.stem == "overview"


def test_axes_name_their_quantity_and_its_unit(out):
    words = _words((out / "figures" / "toy.dc.i.by_bias.85degC.svg").read_text())
    for label in (
        "current, i [µA]",
        "drive, v [V]",
        "bias [V]",
        "error [nA]",
        "line (published form)",
        "tt, 85 °C",
        "fresh",
    ):
        assert label in words


def test_ticks_are_plain_numbers(out):
    for path in (out / "figures").glob("*.svg"):
        assert not re.search(r"\d ?e\S?\d", _words(path.read_text())), path


def test_every_table_is_there_as_csv(out):
    tables = {path.stem: pd.read_csv(path) for path in (out / "tables").iterdir()}
    assert sorted(tables) == ["coefficients", "failures", "merits", "numerics", "summary"]
    assert len(tables["summary"]) == len(TEMPS) * len(TOY.models)
    assert list(tables["coefficients"]["coefficient"]) == ["g", "g", "g", "h", "b", "g", "h", "b"]
    assert tables["numerics"]["deviation %"].tolist() == pytest.approx([3e-4])
    assert tables["merits"]["value"].tolist() == pytest.approx([_result(lost=LOST).merits[0][1]])
    assert list(tables["failures"]["reason"]) == [f"singular {HOSTILE}"] * 2


def test_first_pictures_of_two_circuits_are_shown_side_by_side(tmp_path):
    results = [_result(replace(TOY, name=name, figures=TOY.figures[-1:])) for name in ("toy", "doll")]
    assert "figures/overview.png" in _write(tmp_path, results).path.read_text()
    words = _words((tmp_path / "figures" / "overview.svg").read_text())
    assert words.count("Alone") == 2


def test_every_link_leads_somewhere(out):
    targets = re.findall(r'(?:href|src)="([^"]*)"', _page(out))
    anchors = set(re.findall(r'id="([^"]*)"', _page(out)))
    assert {"data/toy.dc.csv", "decks/toy.dc.cir", "failed/toy.dc.1.cir", "failed/toy.dc.2.log"} <= set(targets)
    for target in targets:
        assert target[1:] in anchors if target.startswith("#") else (out / target).is_file(), target


def test_hostile_text_is_shown_not_obeyed(out):
    page = _page(out)
    assert "alert(&#39;x&#39;)" in page
    assert "alert('x')" not in page
    assert page.count("<script>") == 1
    assert "<b>of</b>" not in page
    assert "g v<sup>2</sup>" in page


def test_page_needs_nothing_from_elsewhere(out):
    assert not re.search(r"https?:|//\w|@import|url\(", _page(out))


def test_failures_are_listed_with_place_and_reason(out):
    page = _page(out).replace("\N{NO-BREAK SPACE}", " ")
    assert "2 failed points" in page
    assert re.search(r"tt, 85 °C, v = 900 mV, bias = 300 mV</td><td>singular &lt;script&gt;", page)
    assert (out / "failed" / "toy.dc.1.cir").read_text() == "* deck"
    assert HOSTILE in (out / "failed" / "toy.dc.1.log").read_text()


def test_deck_of_a_study_is_complete(out):
    deck = (out / "decks" / "toy.dc.cir").read_text()
    assert ".subckt toy a b" in deck
    assert deck.rstrip().endswith(".end")


def test_summary_states_every_error_beside_the_numerics_floor():
    result = _result(fresh_lost=1)
    summary = reporting.tabulate_fits([result])
    for row, fit in zip(summary.to_dict("records"), result.studies["dc"].fits, strict=True):
        assert (row["stated on"], row["R2"], row["rms"]) == ("fresh points", fit.fresh.r2, fit.fresh.rms)
        assert row["NRMSE % fitted to all points"] == 100 * fit.fitted.nrmse
        assert row["NRMSE % cross-validation"] == 100 * fit.cross_validation.nrmse
        assert row["NRMSE % fresh points"] == 100 * fit.fresh.nrmse
        assert row["numerics %"] == pytest.approx(3e-4)
        assert (row["points fitted"], row["points fresh"]) == (fit.fitted.n, fit.fresh.n)
        assert (row["blocks left out"], row["blocks failed"], row["fresh runs failed"]) == (15, 0, 1)
        assert row["conditions"] == f"corner=tt temp={fit.conditions['temp']:g}"


def test_headline_takes_the_worst_condition_and_names_the_merit_once():
    result = _result()
    fits = [fit for fit in result.studies["dc"].fits if fit.model == "line"]
    lines = reporting.tabulate_models([result])
    for column, errors in (("fitted to all points", "fitted"), ("cross-validation",) * 2, ("fresh points", "fresh")):
        worst = max(getattr(fit, errors.replace("-", "_")).nrmse for fit in fits)
        assert lines[column].iloc[0] == text.show_percent(worst)
    assert lines["numerics floor"].iloc[0] == text.show_percent(3e-6)
    assert lines["worst"].iloc[0] == text.show_percent(max(abs(f.fresh.worst) / f.full_range for f in fits))
    assert [bool(merit) for merit in lines["figure of merit"]] == [True, False]


def test_page_states_the_three_errors_of_a_fit(out):
    page = _page(out)
    for column in ("fitted to all points", "cross-validation", "fresh points"):
        assert f'<th class="n">{column}</th>' in page
    assert "15 blocks of points left out in turn" in page
    assert "Fresh points: random, seed 3." in page
    assert "Numerics floor of <code>i</code>: 0.0003" in page


def test_fit_without_cross_validation_and_fresh_points_says_so(tmp_path):
    result = _result(BARE)
    bare = [fit.model_copy(update={"cross_validation": None, "fresh": None}) for fit in result.studies["dc"].fits]
    result = replace(result, studies={"dc": replace(result.studies["dc"], fits=bare, fresh=FreshPoints())})
    page = _write(tmp_path, [result]).path.read_text()
    assert "Cross-validation: none, there are too few points" in page
    assert "Fresh points: random" not in page
    summary = reporting.tabulate_fits([result])
    assert set(summary["stated on"]) == {"points of the fit"}
    assert summary["NRMSE % fresh points"].isna().all()
    assert set(summary["points fresh"]) == set(summary["blocks left out"]) == {0}


def test_fresh_points_that_failed_are_counted_and_listed(tmp_path):
    result = _result(BARE, fresh_lost=2)
    page = _write(tmp_path, [result]).path.read_text()
    assert "4 failed points" in page
    assert "2 runs failed" in page
    failures = page_tables.tabulate_failures([result])
    assert [where.partition("=")[0] for where in failures["where"]] == ["fresh point corner"] * 4


def test_points_of_the_search_that_failed_are_counted_and_listed(tmp_path):
    result = _result(BARE)
    study = result.studies["dc"]
    lost = _fresh(study.plan, study.fits, 1)
    result = replace(result, studies={"dc": replace(study, searched=lost, failures=lost.failures)})
    assert "2 failed points" in _write(tmp_path, [result]).path.read_text()
    failures = page_tables.tabulate_failures([result])
    assert [where.partition("=")[0] for where in failures["where"]] == ["point of the search corner"] * 2


def test_page_states_largest_error_left_out_ends_and_worst_row(tmp_path):
    result = _result(BARE)
    study = result.studies["dc"]
    largest = LargestError(worst=-2e-7, worst_at={"v": 0.7, "bias": 0.0}, n=77, n_searched=9, n_failed=2)
    row = RowError(input="bias", at=0.5, n=9, row_range=1e-6, rms=1e-8, nrmse=0.01, worst=2e-8, n_rows=4, n_flat=3)
    fits = [fit.model_copy(update={"largest": largest, "row_error": row}) for fit in study.fits]
    end = page_tables.find_worst_end(fits[0])
    assert end.errors.nrmse == max(one.errors.nrmse for one in fits[0].end_blocks)
    result = replace(result, studies={"dc": replace(study, fits=fits)})
    page = _write(tmp_path, [result]).path.read_text()
    assert "Largest error at any of 77 points, 9 of them simulated to find it; 2 runs failed:" in page
    assert "NRMSE at the ends of the range, each left out and extrapolated by a fit to the rest:" in page
    assert f"{text.show_percent(end.errors.nrmse)} at" in page
    at = text.show_conditions({"bias": 0.5}, {"bias": "V"})
    assert f"NRMSE relative to the range of a row: {text.show_percent(0.01)} at {at}, the largest of 4 rows" in page
    assert "(3 more have a range below 1 % of the full range)" in page
    summary = reporting.tabulate_fits([result])
    assert (summary["worst"] == -2e-7).all()
    assert set(summary["points compared for worst"]) == {77}
    assert summary["NRMSE % left-out end"].iloc[0] == 100 * end.errors.nrmse
    assert summary["left-out end"].iloc[0] == page_tables.show_end(end)
    assert set(summary["row"]) == {"bias=0.5"}


def test_blocks_whose_refit_failed_are_stated(tmp_path):
    result = _result(BARE)
    fits = [fit.model_copy(update={"cross_validation": fit.cross_validation.model_copy(update={"n_failed": 2})})
            for fit in result.studies["dc"].fits]  # fmt: skip
    result = replace(result, studies={"dc": replace(result.studies["dc"], fits=fits)})
    assert "2 of the fits to the rest failed" in _write(tmp_path, [result]).path.read_text()


def test_errors_drawn_are_model_less_data():
    result = _result(lost=[(0, 0, 3, 1)])
    shown = picture_layout.lay_out_pictures(result)[0]
    fit = next(f for f in result.studies["dc"].fits if f.model == "curve" and f.conditions["temp"] == 27.0)
    panel = shown.panels[[m.name for m in shown.models].index("curve")]
    for of, stated in ((~panel.fresh, fit.fitted), (panel.fresh, fit.fresh)):
        assert int(of.sum()) == stated.n
        assert np.sqrt(np.mean(panel.error[of] ** 2)) == pytest.approx(stated.rms)
        assert panel.error[np.abs(panel.error * of).argmax()] == pytest.approx(stated.worst)
    assert fit.fitted.n == len(VOLTS) * len(BIAS) - 1
    assert panel.nrmse == fit.fresh.nrmse


def test_curve_of_a_model_passes_where_the_fit_says():
    result = _result()
    fit = next(f for f in result.studies["dc"].fits if f.model == "line" and f.conditions["temp"] == 85.0)
    shown = next(p for p in picture_layout.lay_out_pictures(result) if p.name.endswith("by_bias.85degC"))
    for line in shown.lines:
        np.testing.assert_allclose(line.curves[0], fit.values()["g"] * line.curve_x)


def test_picture_is_of_the_place_its_declaration_picks():
    alone = picture_layout.lay_out_pictures(_result())[-1]
    expected = _study(TOY).dataset.i.sel(corner="tt", temp=85.0, bias=0.2)
    np.testing.assert_array_equal(alone.lines[0].y, expected)


def test_failed_point_leaves_a_gap_and_no_result_says_so():
    lost = _result(lost=[(0, 0, 3, 1)])
    [line] = [line for line in picture_layout.lay_out_pictures(lost)[0].lines if line.value == BIAS[1]]
    assert np.flatnonzero(np.isnan(line.y)).tolist() == [3]
    everything = _result(lost=list(np.ndindex(1, 2, 16, 3)), fitted=False)
    _, svg = figures.draw_picture(picture_layout.lay_out_pictures(everything)[0])
    assert "no point has a result" in _words(svg)


def test_points_of_a_sweep_that_runs_down_are_drawn_in_order():
    down = replace(BARE, figures=TOY.figures[-1:], studies=(Study(bench="dc", temps=TEMPS, sweep={"v": VOLTS[::-1]}),))
    [line] = picture_layout.lay_out_pictures(_result(down))[0].lines
    assert line.x.tolist() == sorted(VOLTS)
    assert (np.diff(line.y) > 0).all()


def test_family_of_conditions_takes_the_fit_of_each():
    family = replace(
        TOY, figures=(Figure(study="dc", output="i", x="v", group_by="temp", title="T", models=("line",)),)
    )
    result = _result(family)
    [shown] = picture_layout.lay_out_pictures(result)
    slopes = [line.curves[0][-1] / line.curve_x[-1] for line in shown.lines]
    assert slopes == pytest.approx([f.values()["g"] for f in result.studies["dc"].fits if f.model == "line"])
    assert set(shown.panels[0].values) == set(TEMPS)


def test_model_that_holds_at_one_x_is_not_drawn_along_x():
    there = replace(LINE, name="there", function=lambda bias, *, g: g * bias, held_at={"v": 0.9})
    figure = Figure(study="dc", output="i", x="v", group_by="bias", title="A", models=("there",))
    [shown, _] = picture_layout.lay_out_pictures(_result(replace(TOY, models=(there,), figures=(figure,))))
    assert shown.models == shown.panels == ()


def test_temperatures_share_an_axis_unless_that_flattens_one():
    result = _result()
    cold, hot, _ = picture_layout.lay_out_pictures(result)
    assert cold.y_span == hot.y_span
    result.studies["dc"].dataset.i[0, 1] *= 10
    cold, hot, _ = picture_layout.lay_out_pictures(result)
    assert cold.y_span[1] == pytest.approx(float(result.studies["dc"].dataset.i[0, 0].max()))
    assert hot.y_span[1] > 5 * cold.y_span[1]


def test_many_lines_are_thinned_to_what_the_declaration_says():
    few = replace(TOY, figures=(replace(TOY.figures[0], lines=2),))
    assert [line.value for line in picture_layout.lay_out_pictures(_result(few))[0].lines] == [BIAS[0], BIAS[-1]]


def test_words_make_an_axis_too():
    by_corner = replace(TOY, figures=(Figure(study="dc", output="i", x="corner", group_by="bias", title="By corner"),))
    _, svg = figures.draw_picture(picture_layout.lay_out_pictures(_result(by_corner))[0])
    assert "tt" in _words(svg)


def test_same_data_give_the_same_files():
    first, second = (figures.draw_picture(picture_layout.lay_out_pictures(_result())[0]) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (Figure(study="no", output="i", x="v", title="A"), "toy: picture 'A' names no study 'no'"),
        (Figure(study="dc", output="q", x="v", title="A"), "needs output 'q'; study dc has i"),
        (Figure(study="dc", output="i", x="w", title="A"), "needs dimension 'w'; study dc has corner, temp, v, bias"),
        (Figure(study="dc", output="i", x="v", title="A", models=("no",)), "toy has no model 'no'; have line, curve"),
    ],
)
def test_picture_of_what_is_not_there_is_refused(figure, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        picture_layout.lay_out_pictures(_result(replace(TOY, figures=(figure,))))


def test_circuit_without_pictures_models_and_merits_has_a_page(tmp_path):
    bare = replace(TOY, figures=(), models=(), merits=())
    page = _write(tmp_path, [_result(bare)]).path.read_text()
    assert "Numerics" in page
    assert "overview" not in page
    assert list((tmp_path / "figures").iterdir()) == []


def test_interrupted_job_has_a_page_that_says_so(tmp_path):
    result = _result(BARE, fitted=False)
    result.studies["dc"].dataset.attrs["n_ok"] -= 7
    page = _write(tmp_path, [result, CircuitResult(circuit=BARE, params={}, studies={}, merits=())]).path.read_text()
    assert "7 of 96 points were not simulated" in page
    assert "No circuit" in _write(tmp_path, []).path.read_text()


def test_models_left_out_are_listed_with_the_reason(tmp_path):
    result = _result(BARE)
    result.studies["dc"].left_out.append(LeftOut(model="line", reason="model line: the data do not determine <k>"))
    page = _write(tmp_path, [result]).path.read_text()
    assert "1 model not fitted" in page
    assert "do not determine &lt;k&gt;" in page


def test_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="file is not a folder; choose another place"):
        _write(tmp_path / "file", [])


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (9.593e-6, "A", "9.593 µA"), (-0.45, "V", f"{MINUS}450 mV"), (85.0, "degC", "85 °C"), (0.5, "1/V", "0.5 1/V"),
        (3e-5, "A/V^2", "30 µA/V²"), (1.1, "1", "1.1"), (float("nan"), "V", "—"), (None, "V", "—"), (2.0, "%", "2 %"),
    ],
)  # fmt: skip
def test_numbers_are_shown_with_prefix_and_unit(value, unit, shown):
    assert text.show(value, unit).replace("\N{NO-BREAK SPACE}", " ") == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(0.0123456, "1.23 %"), (1e-14, "< 1e-9 %"), (0.0, "0 %"), (None, "—"), (-0.5, f"{MINUS}50 %")],
)
def test_fractions_are_shown_in_percent(fraction, shown):
    assert text.show_percent(fraction).replace("\N{NO-BREAK SPACE}", " ") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.75, "0.7500"), (0.9999977, "0.9999977"), (1.0, "1.000000000"), (-0.2, f"{MINUS}0.2000"), (None, "—")],
)
def test_r2_has_the_digits_that_tell_it_from_one(value, shown):
    assert text.show_r2(value) == shown


@pytest.mark.parametrize(
    ("largest", "unit", "factor", "shown"),
    [(0.9, "V", 1, "V"), (0.15, "V", 1e3, "mV"), (15e-9, "s", 1e9, "ns"), (1e-5, "A", 1e6, "µA"), (0.0, "A", 1, "A")],
)
def test_axis_takes_the_prefix_of_its_largest_value(largest, unit, factor, shown):
    scale = text.choose_scale(np.array([-largest, 0.0, np.nan]), unit)
    assert (scale.factor, scale.unit) == (pytest.approx(factor), shown)


def test_report_draws_without_global_state():
    sources = [p.read_text() for p in (Path(reporting.__file__).parent).glob("*.py")]
    assert not any("pyplot" in source for source in sources)
