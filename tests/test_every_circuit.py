"""What every file in circuits/ must do.  A new circuit is covered the moment it exists."""

import inspect
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import NoPool

from gaincell_char import registry
from gaincell_char.cli import cli
from gaincell_char.declare.arithmetic import references
from gaincell_char.declare.bench import Noise, density
from gaincell_char.declare.model import CoefficientArray
from gaincell_char.declare.parameters import Choice, numbers
from gaincell_char.declare.pvt import PvtModel
from gaincell_char.fitting import fit
from gaincell_char.fitting.accuracy import compute_errors
from gaincell_char.fitting.fit import FITTED, PUBLISHED
from gaincell_char.fitting.points import select
from gaincell_char.montecarlo import analysis, execute, results
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.spice.names import undeclared
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.storage.flat import flatten_dataset
from gaincell_char.sweeping.run import OK, characterize
from gaincell_char.workflows.characterize_all import thin
from gaincell_char.workflows.study_plans import plan_study
from gaincell_char.workflows.thresholds import with_thresholds

ROOT = Path(__file__).parents[1]
BASE = "A|V|s|m|F|C|J|W|S|Ohm|K|1|%"
FACTOR = rf"({BASE})(\^([2-9]|1\d))?"
UNIT = re.compile(rf"({BASE})(/({FACTOR}|\({FACTOR}( {FACTOR})+\)))?")
TEMPS = (-40.0, 27.0, 125.0)
AGREE = 1e-3  # of full range, a stored fit and the same fit made again


def parameters(circuit, bench):
    """Value of every numeric parameter, and the conditions an optimiser starts from."""
    return {**numbers((circuit.params | bench.params).resolve({})), "temp": 27.0}


def grids(circuit, bench):
    """Swept parameter or curve -> values, as the bench itself sweeps them."""
    request = registry.plan_bench(circuit.name, bench.name)
    curve = {bench.curve.name: request.curve} if bench.curve else {}
    return {**request.sweep, **curve}


def axes_of(circuit, model):
    """Input -> values: those of the sweep, and three temperatures and supplies or biases of a model over conditions."""
    over = isinstance(model, PvtModel)
    reference = parameters(circuit, circuit.bench(model.bench))
    values = {
        **grids(circuit, circuit.bench(model.bench)),
        **({"temp": TEMPS, model.supply: np.array([0.9, 1.0, 1.1]) * reference[model.supply]} if over else {}),
    }
    return {
        name: np.asarray(values[name], dtype=float)[:: 4 if over and len(values[name]) > 8 else 1]
        for name in model.inputs
    }


def starts(circuit, model):
    values = parameters(circuit, circuit.bench(model.bench))
    middle = {name: float(np.median(np.unique(x))) for name, x in axes_of(circuit, model).items()}
    coefficients = model.coefficients.items()
    return {name: c.start_value({**middle, **values}) for name, c in coefficients}


def study_plans(circuit):
    return {s.key: plan_study(circuit, s, registry.DEFAULT_TECHNOLOGY) for s in circuit.all_studies}


def dimensions(request):
    """Dimension -> its values, the curve included."""
    return {**request.dims, **({request.bench.curve.name: request.curve} if request.bench.curve else {})}


def models_of(circuit, study, technology=registry.DEFAULT_TECHNOLOGY):
    """Models of a study; those of another technology may replace those of the default one."""
    sizes = registry.describe_technology(technology).sizes(circuit.name, circuit.params)
    return list(circuit.models_of(study, circuit.params.resolve(sizes)))


def test_name_is_that_of_both_files(circuit):
    assert list((ROOT / "circuits").rglob(f"{circuit.name}.py"))
    assert (ROOT / "netlists" / f"{circuit.name}.cir").is_file()
    assert registry.load_circuit(circuit.name) is circuit
    assert circuit.title


def test_every_name_in_netlist_and_stimulus_is_a_parameter(circuit):
    netlist = registry.load_netlist(circuit.name)
    assert not undeclared(netlist, circuit.params)
    for bench in circuit.benches:
        assert not undeclared(as_netlist(bench.stimulus), circuit.params | bench.params), bench.name


def test_every_parameter_is_used(circuit):
    own = references(registry.load_netlist(circuit.name).text)
    stimuli = [references(bench.stimulus) for bench in circuit.benches]
    unused = set(circuit.params) - own.union(*stimuli)
    assert all(_moves_a_sweep(circuit, name) for name in unused), unused


def _moves_a_sweep(circuit, name):
    """Another value of a parameter makes a bench sweep other points."""
    [bench, *_] = circuit.benches
    other = 1.5 * circuit.params[name].default
    moved = registry.plan_bench(circuit.name, bench.name, set_={name: other})
    return moved.sweep != registry.plan_bench(circuit.name, bench.name).sweep


def test_every_sweep_and_every_initial_voltage_is_a_parameter(circuit):
    for bench in circuit.benches:
        declared = circuit.params | bench.params
        assert {*bench.sweep, *bench.initial.values()} <= set(declared), bench.name
        assert bench.curve is None or bench.curve.name not in declared, bench.name
        scales = {output.full_scale for output in bench.outputs}
        assert {scale for scale in scales if isinstance(scale, str)} - {""} <= set(declared), bench.name
        assert all(scale > 0 for scale in scales if not isinstance(scale, str)), bench.name


def test_every_deck_is_complete(circuit):
    for bench in circuit.benches:
        deck = next(registry.plan_bench(circuit.name, bench.name).points()).deck.text
        assert deck.startswith(f"* {circuit.name}.{bench.name}, ")
        assert deck.endswith("\n.end\n")
        analyses = len(bench.analysis.nodes) if isinstance(bench.analysis, Noise) else 1
        assert len(re.findall(r"(?m)^\.(?:op|tran|noise)\b", deck)) == analyses
        assert all(vector in re.search(r"(?m)^\.save (.*)$", deck)[1].split() for vector in bench.save)


def test_every_quantity_has_an_si_unit_and_a_meaning(circuit):
    quantities = [q for q in circuit.params.values() if not isinstance(q, Choice)] + list(circuit.merits)
    for bench in circuit.benches:
        quantities += [q for q in bench.params.values() if not isinstance(q, Choice)]
        quantities += [*bench.outputs, *bench.derived, *filter(None, [bench.curve])]
    for model in circuit.models:
        quantities += model.coefficients.values()
    assert not {q.unit for q in quantities if not UNIT.fullmatch(q.unit)}
    choices = [q for params in (circuit.params, *(b.params for b in circuit.benches)) for q in params.values()]
    assert all(q.doc for q in [*quantities, *choices, *circuit.benches])


def test_names_are_lower_case_because_spice_sees_no_case(circuit):
    for bench in circuit.benches:
        names = [*circuit.params, *bench.params, *(output.name for output in bench.outputs)]
        assert all(re.fullmatch(r"[a-z]\w*", name) and name == name.lower() for name in names)


def test_nothing_is_named_twice(circuit):
    for things in (circuit.benches, circuit.models, circuit.merits, *(bench.outputs for bench in circuit.benches)):
        names = [thing.name for thing in things]
        assert len(set(names)) == len(names)
    keys = [study.key for study in circuit.all_studies]
    assert len(set(keys)) == len(keys)


def test_ranges_contain_defaults(circuit):
    for bench in circuit.benches:
        table = circuit.params | bench.params
        assert table.check(table.resolve({})) == table.resolve({})
    for model in circuit.models:
        for name, start in starts(circuit, model).items():
            coefficient = model.coefficients[name]
            assert coefficient.low <= start <= coefficient.high, f"{model.name} {name}"
            assert coefficient.scale >= 0


def test_sweeps_lie_within_ranges(circuit):
    requests = [registry.plan_bench(circuit.name, bench.name) for bench in circuit.benches]
    for request in [*requests, *study_plans(circuit).values()]:
        for name, values in request.sweep.items():
            allowed = request.params[name]
            if isinstance(allowed, Choice):
                assert set(values) <= set(allowed.options or request.technology.flavours)
            else:
                assert allowed.low <= min(values) <= max(values) <= allowed.high, name


def _count(argument):
    return len(argument.parts) if isinstance(argument, CoefficientArray) else 1


def test_model_signature_matches_its_declaration(circuit):
    for model in (model for model in circuit.models if not isinstance(model, PvtModel)):
        signature = inspect.signature(model.function).parameters.values()
        assert [p.name for p in signature if p.kind is p.KEYWORD_ONLY] == list(model.arguments), model.name
        assert len(set(model.coefficients)) == sum(map(_count, model.arguments.values())), model.name
        assert all(p.default is p.empty for p in signature), model.name
        assert model.function.__doc__
        assert model.form in (PUBLISHED, FITTED)


def test_models_are_elementwise_over_their_whole_sweep(circuit):
    for model in circuit.models:
        axes = [*axes_of(circuit, model).values()]
        coefficients = starts(circuit, model)
        mesh = np.meshgrid(*axes, indexing="ij")
        table = model(*(x.ravel() for x in mesh), **coefficients)
        assert table.dtype == np.float64, model.name
        assert table.shape == mesh[0].ravel().shape, model.name
        assert np.isfinite(table).all(), model.name
        tolerance = {"rtol": 1e-12, "atol": 1e-12 * np.abs(table).max(), "err_msg": model.name}
        broadcast = model(*np.ix_(*axes), **coefficients)
        np.testing.assert_allclose(broadcast.ravel(), table, **tolerance)
        order = np.random.default_rng(1).permutation(table.size)
        np.testing.assert_allclose(model(*(x.ravel()[order] for x in mesh), **coefficients), table[order], **tolerance)
        both = {name: np.array([[value], [1.01 * value]]) for name, value in coefficients.items()}
        changed = model(*(x.ravel() for x in mesh), **{name: 1.01 * value for name, value in coefficients.items()})
        together = model(*(x.ravel() for x in mesh), **both)
        np.testing.assert_allclose(together[0], table, **tolerance)
        np.testing.assert_allclose(together[1], changed, **tolerance)


def test_models_said_to_be_linear_are(circuit):
    rng = np.random.default_rng(2)
    for model in (m for m in circuit.models if m.linear):
        x = [rng.choice(values, 20) for values in axes_of(circuit, model).values()]
        fixed = {name: start for name, start in starts(circuit, model).items() if model.coefficients[name].fixed}
        free = [name for name in model.coefficients if name not in fixed]
        a, b = (dict(zip(free, rng.normal(size=len(free)), strict=True)) for _ in range(2))
        points = (a, b, {name: a[name] + b[name] for name in free}, dict.fromkeys(free, 0.0))
        at_a, at_b, at_sum, at_zero = (model(*x, **point, **fixed) for point in points)
        np.testing.assert_allclose(at_sum + at_zero, at_a + at_b, rtol=1e-9, atol=1e-12)


def test_models_refer_to_what_exists(circuit):
    for model in circuit.models:
        bench = circuit.bench(model.bench)
        bench.output(model.output)
        assert set(axes_of(circuit, model)) == set(model.inputs), model.name
        held = model.held_values(parameters(circuit, bench))
        assert set(held) <= set(circuit.params | bench.params) - set(model.inputs), model.name


def test_noise_floors_refer_to_what_exists(circuit):
    for bench, floor in circuit.noise_floors.items():
        source = floor.circuit or circuit
        noise = source.model(floor.model)
        [study] = [study for study in source.all_studies if study.key == floor.study]
        assert noise in models_of(source, study), bench
        assert source == registry.load_circuit(source.name), bench
        assert set(floor.inputs) == set(noise.inputs), bench
        of_noise = source.bench(noise.bench).output(noise.output).unit
        per = {"C": {1.0: "C"}, "V": {1.0: "V"}, "s": {1.0: "s"}}
        for model in (model for model in circuit.models if model.bench == bench):
            assert {name for name in floor.inputs.values() if isinstance(name, str)} <= set(model.inputs), model.name
            unit = circuit.bench(bench).output(model.output).unit
            assert per[of_noise].get(floor.per, "A") == unit, model.name


def test_studies_refer_to_what_exists(circuit):
    technology = registry.load_technology()
    plans = study_plans(circuit)
    for study in circuit.all_studies:
        assert plans[study.key].size > 0
        assert set(study.corners) <= set(technology.corners)
        assert all(circuit.model(name).bench == study.bench for name in study.models or ()), study.key


def test_every_bench_and_every_model_is_part_of_the_main_job(circuit):
    assert {bench.name for bench in circuit.benches} == {study.bench for study in circuit.all_studies}
    fitted = {model.name for study in circuit.all_studies for model in models_of(circuit, study)}
    assert {model.name for model in circuit.models if not model.instead_of} == fitted


def test_a_model_that_replaces_another_one_takes_its_place(circuit):
    for model in (model for model in circuit.models if model.instead_of):
        other = circuit.model(model.instead_of)
        assert (model.bench, model.output, model.inputs) == (other.bench, other.output, other.inputs), model.name
        assert (model.mean is None) == (other.mean is None), model.name
        assert all(isinstance(circuit.params[name], Choice) for name in model.where), model.name
        [study, *_] = [study for study in circuit.all_studies if other in models_of(circuit, study)]
        assert model in circuit.models_of(study, model.where)
        assert other not in circuit.models_of(study, model.where)
        assert circuit.stand_in(other, {}) is other


def test_figures_refer_to_what_exists(circuit):
    plans, studies = study_plans(circuit), {study.key: study for study in circuit.all_studies}
    for figure in circuit.all_figures:
        request = plans[figure.study]
        request.bench.output(figure.output)
        dims = dimensions(request)
        assert {figure.x, figure.group_by} - {""} <= dims.keys(), figure.title
        for name, value in figure.at_values(parameters(circuit, request.bench)).items():
            assert min(dims[name]) - 1e-15 <= value <= max(dims[name]) + 1e-15, f"{figure.title}: {name}"
        for name in figure.models:
            assert circuit.model(name) in models_of(circuit, studies[figure.study]), figure.title
            assert circuit.model(name).output == figure.output, figure.title


def test_merits_are_computed_from_what_their_study_gives(circuit):
    """That they are right, tests/test_known_answers.py says."""
    plans = study_plans(circuit)
    for merit in circuit.merits:
        request = plans[merit.study]
        data = characterize(request, pool=NoPool()).dataset
        for output in request.bench.outputs:
            values = data[output.name]
            values.values = np.linspace(-1.0, 2.0, values.size).reshape(values.shape)
        before = data.copy(deep=True)
        assert isinstance(merit.compute(data, numbers(request.fixed)), float), merit.name
        assert data.identical(before), merit.name
        assert merit.along in {"", *dimensions(request)}, merit.name


def conditions(circuit, bench):
    """Plans and points: nominal, another corner, both ends of temperature, a supply 10 % lower."""
    technology = registry.load_technology()
    other = next(corner for corner in reversed(technology.corners) if corner != "tt")
    last = tuple(len(values) - 1 for values in registry.plan_bench(circuit.name, bench.name).sweep.values())
    swept = [(0,) * len(last), last]
    request = registry.plan_bench(circuit.name, bench.name, corners=("tt", other), temps=TEMPS)
    yield request, [(*where, *i) for where in ((0, 1), (1, 1), (0, 0), (0, 2)) for i in swept]
    if "vdd" in circuit.params:
        low = {"vdd": 0.9 * parameters(circuit, bench)["vdd"]}
        yield registry.plan_bench(circuit.name, bench.name, set_=low), [(0, 0, *i) for i in swept]


@pytest.mark.slow
def test_every_bench_runs_in_every_condition(circuit, pool):
    for bench in circuit.benches:
        found = []
        for request, points in conditions(circuit, bench):
            result = characterize(request, pool=pool, only=points)
            assert not result.failures, f"{bench.name}: {result.failures[0].reason} at {result.failures[0].where}"
            assert int((result.dataset.status == OK).sum()) == len(points)
            outputs = [result.dataset[output.name].values for output in bench.outputs]
            assert all(np.isfinite(values[point]).all() for values in outputs for point in points)
            found += [tuple(values[point].tobytes() for values in outputs) for point in points[1::2]]
            for name in [*dimensions(request), *(output.name for output in bench.outputs)]:
                labels = result.dataset[name].attrs
                assert labels["long_name"]
                assert labels.get("units") or result.dataset[name].dtype == object
        assert len(set(found)) == len(found), f"{bench.name}: two conditions give the same result to the last bit"


def read_raw(path):
    """Read every plot of ngspice's binary file of real vectors: name -> samples, for each plot."""
    rest, plots = path.read_bytes(), []
    while rest:
        head, _, rest = rest.partition(b"Binary:\n")
        text = head.decode()
        count, points = (int(re.search(rf"No\. {what}: *(\d+)", text)[1]) for what in ("Variables", "Points"))
        names = [line.split()[1].lower() for line in text.partition("Variables:\n")[2].splitlines()]
        assert len(names) == count
        columns = np.frombuffer(rest[: 8 * points * count], dtype="<f8").reshape(points, count).T
        plots.append(dict(zip(names, columns, strict=True)))
        rest = rest[8 * points * count :]
    return plots


def waveforms_of(bench, plots):
    """Vectors as a measurement gets them; after the spectra of each node comes a plot of the integrated noise."""
    if not isinstance(bench.analysis, Noise):
        [only] = plots
        return only
    found = {"frequency": plots[0]["frequency"]}
    for node, plot in zip(bench.analysis.nodes, plots[::2], strict=True):
        found |= {density(node): plot["onoise_spectrum"], density(node, at_source=True): plot["inoise_spectrum"]}
    return found


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="no ngspice command, only the library")
@pytest.mark.slow
def test_a_printed_deck_gives_the_same_numbers_by_hand(circuit, pool, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for bench in circuit.benches:
        cli.main(["netlist", circuit.name, bench.name], standalone_mode=False)
        (tmp_path / "deck.cir").write_text(capsys.readouterr().out)
        subprocess.run(
            [shutil.which("ngspice"), "-b", "-r", "deck.raw", "deck.cir"], cwd=tmp_path, check=True, capture_output=True
        )  # fmt: skip
        waveforms = waveforms_of(bench, read_raw(tmp_path / "deck.raw"))
        defaults = parameters(circuit, bench)
        request = registry.plan_bench(circuit.name, bench.name, set_={name: defaults[name] for name in bench.sweep})
        data = characterize(request, pool=pool).dataset
        values = next(request.points()).values
        for output in bench.outputs:
            by_hand = np.asarray(output.measure(waveforms, values))
            ours = data[output.name].values.reshape(by_hand.shape)
            np.testing.assert_allclose(by_hand, ours, rtol=1e-9, err_msg=f"{bench.name} {output.name}")


RECORDS = [
    name for name in registry.record_names() if registry.load_record(registry.DEFAULT_TECHNOLOGY, name).spread is None
]
CAMPAIGNS = [name for name in registry.record_names() if name not in RECORDS]


def test_every_study_with_models_has_a_record(circuit):
    wanted = {f"{circuit.name}.{study.key}" for study in circuit.all_studies if models_of(circuit, study)}
    assert wanted == {name for name in RECORDS if name.partition(".")[0] == circuit.name}


def fit_again(record, simulate_once, pool):
    """Run the study of a record as the main job does: the same fits, each with the points it was made from."""
    circuit = registry.load_circuit(record.circuit)
    [study] = [study for study in circuit.all_studies if study.key == record.study]
    request = plan_study(circuit, study, record.technology)
    fixed = pytest.approx(dict(request.fixed), abs=0)
    assert record.parameters == fixed, "regenerate the record: its circuit has changed"
    data, failures = with_thresholds(request, simulate_once(request).dataset, models_of(circuit, study), pool)
    assert not failures
    params, dims = numbers(request.fixed), tuple(map(str, data.dims))
    units = {output.name: output.unit for output in request.bench.outputs}
    for model in models_of(circuit, study):
        for selection in select(model, flatten_dataset(data), dims, params):
            yield model, selection, fit.fit_model(model, selection, params, units[model.output])


def compare(stored, model, selection, new):
    """The stored fit, the same fit made again, and the points it is about, agree with each other."""
    where = f"{stored.model} at {stored.conditions}"
    assert (new.model, new.conditions) == (stored.model, stored.conditions)
    assert new.valid_range.keys() == stored.valid_range.keys(), where
    ends = stored.valid_range.items()
    assert all(new.valid_range[name] == pytest.approx(both, abs=0) for name, both in ends), where
    grid = np.ix_(*(np.linspace(*stored.valid_range[name], 9) for name in stored.inputs))
    difference = np.abs(model(*grid, **new.values()) - model(*grid, **stored.values())).max()
    assert difference < 1e-3 * stored.full_range, where
    on_new_points = compute_errors(selection, model(*selection.inputs.values(), **stored.values()), stored.full_range)
    assert on_new_points.n == stored.fitted.n == new.fitted.n
    assert on_new_points.nrmse == pytest.approx(stored.fitted.nrmse, rel=0.2, abs=0), where
    for said, found in ((stored.fitted, new.fitted), (stored.cross_validation, new.cross_validation)):
        assert found.nrmse == pytest.approx(said.nrmse, rel=0.2, abs=0), where
    crossed = (new.cross_validation.n, new.cross_validation.n_blocks, new.cross_validation.n_failed)
    assert crossed == (
        stored.cross_validation.n, stored.cross_validation.n_blocks, stored.cross_validation.n_failed
    )  # fmt: skip


# Simulated and fitted for seconds each; in the short form a few of their points are simulated.
LARGE = (
    "gain_cell.bitline", "gain_cell.dc_corners", "gain_cell_switched.bitline", "gain_cell_switched.dc",
    "gain_cell_switched.dc_corners", "relu_c2p.transfer", "signed_c2p.transfer",
    *(name for name in RECORDS if name.endswith(("_pvt", "_bias"))),
)  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] if n in LARGE else []) for n in RECORDS])
def test_reference_record_is_reproduced(name, simulate_once, pool):
    record = registry.load_record(registry.DEFAULT_TECHNOLOGY, name)
    assert name == f"{record.circuit}.{record.study}"
    for stored, again in zip(record.fits, fit_again(record, simulate_once, pool), strict=True):
        compare(stored, *again)


SETS = [technology for technology in registry.technology_names() if technology != registry.DEFAULT_TECHNOLOGY]
EVERY_OTHER = [(technology, name) for technology in SETS for name in registry.record_names(technology)]
SPREADS = [both for both in EVERY_OTHER if registry.load_record(*both).spread is not None]
COMPILED = [both for both in EVERY_OTHER if both not in SPREADS and both[0] == "ihp-sg13g2"]
OTHERS = [both for both in EVERY_OTHER if both not in SPREADS and both not in COMPILED]


BETWEEN_VERSIONS = 3e-4
"""Allowed difference of ngspice 39 and 46, as a fraction of the full range: 1e-4 for the current of a cell."""


@pytest.mark.parametrize(
    ("technology", "name"),
    [*OTHERS, *((registry.DEFAULT_TECHNOLOGY, name) for name in RECORDS)],
    ids=lambda value: value,
)
@pytest.mark.slow
def test_a_record_is_that_of_today(technology, name, load_technology, pool):
    load_technology(technology)
    check_record_of_today(technology, name, pool)


@pytest.mark.parametrize(("technology", "name"), COMPILED, ids=lambda value: value)
@pytest.mark.slow
@pytest.mark.ngspice
def test_a_record_of_compiled_models_is_that_of_today(technology, name, load_technology, newer_pool):
    load_technology(technology)
    check_record_of_today(technology, name, newer_pool)


def check_record_of_today(technology, name, pool):
    """A few points of its study are simulated again: the best models are as far off as the record says."""
    record = registry.load_record(technology, name)
    circuit = registry.load_circuit(record.circuit)
    [study] = [study for study in circuit.all_studies if study.key == record.study]
    request = plan_study(circuit, study, technology)
    assert record.provenance.plan_digest == request.digest, f"gaincell run --tech {technology} --records makes it anew"
    best = [stored for stored in record.fits if stored.form == FITTED]
    points = {*thin(request, 6), *(point for stored in best for point in two_points(request, stored))}
    result = characterize(request, pool=pool, only=sorted(points))
    assert not result.failures
    params, dims = numbers(request.fixed), tuple(map(str, result.dataset.dims))
    for stored in best:
        model = circuit.model(stored.model)
        table = flatten_dataset(result.dataset)
        swept = {name: value for name, value in stored.conditions.items() if name in table}
        here = table[np.logical_and.reduce([table[name] == value for name, value in swept.items()])]
        [selection] = select(model, here, dims, {**params, **stored.conditions})
        error = model(*selection.inputs.values(), **stored.values()) - selection.output
        stated = (stored.fitted, stored.cross_validation, stored.fresh)
        worst = max(abs(errors.worst) for errors in stated if errors is not None)
        same = record.provenance.simulator == pool.provenance["simulator"]
        version = 0.0 if same else BETWEEN_VERSIONS * np.ptp(selection.output)
        assert np.abs(error).max() <= 1.05 * worst + version, stored.model


def two_points(request, stored):
    """A model is looked at where each of its inputs has two values: these, at the conditions of its fit."""
    for part in (0.25, 0.75):
        yield tuple(
            int(part * len(values)) if name in stored.inputs else list(values).index(stored.conditions[name])
            for name, values in request.dims.items()
        )


@pytest.mark.parametrize("technology", sorted({technology for technology, _ in OTHERS}))
def test_another_technology_has_every_record_too(circuit, technology):
    studies = [s for s in circuit.all_studies if models_of(circuit, s, technology) and not s.optional]
    wanted = {f"{circuit.name}.{study.key}" for study in studies}
    assert wanted <= {name for other, name in OTHERS if other == technology}


def test_spreads_are_declared_of_what_there_is(circuit):
    for spread in circuit.all_spreads:
        bench = circuit.bench(spread.bench)
        planned = plan_campaign(circuit.name, spread.bench)
        assert list(planned.plan.sweep) == list(spread.sweep)
        assert spread.x in {*spread.sweep, *([bench.curve.name] if bench.curve else [])}
        assert bench.output(spread.output)
        assert all(UNIT.fullmatch(feature.unit) and feature.doc for feature in spread.features)
        for model in spread.models:
            nominal = model.nominal
            assert nominal is circuit.model(nominal.name)
            assert nominal.bench == spread.bench
            assert not model.random.keys() & nominal.coefficients.keys()
            assert {change.of for change in model.random.values()} <= nominal.coefficients.keys()
            units = [
                nominal.coefficients[c.of].unit for c in model.random.values() if not (c.relative or c.logarithmic)
            ]
            assert units == [c.unit for c in model.random.values() if not (c.relative or c.logarithmic)]
            assert all(UNIT.fullmatch(c.unit) and c.doc and c.scale > 0 for c in model.random.values())


@pytest.mark.slow
def test_every_spread_runs_and_has_its_features(circuit, pool):
    for spread in circuit.all_spreads:
        planned = plan_campaign(circuit.name, spread.bench, vary="both")
        items = execute.simulate_samples(planned, 2, pool)
        assert not [item.reason for item in items if item.reason]
        outputs = {o.name: [item.values[o.name].tolist() for item in items] for o in planned.plan.bench.outputs}
        grid = results.to_grid(planned, pd.DataFrame(outputs), 2)
        main = grid[spread.output]
        assert (main.std("sample") > 0).any()
        for feature in spread.features:
            value = feature.compute(grid)
            assert feature.along not in value.dims
            assert np.isfinite(value).all(), feature.name


NOT_DESCRIBED = {"sky130-capacitor_decay.leak_both"}
"""Records whose random model gives neither the values nor their sigma, so that it is left out."""


@pytest.mark.parametrize(
    ("technology", "name"), [*((registry.DEFAULT_TECHNOLOGY, name) for name in CAMPAIGNS), *SPREADS]
)
def test_a_packaged_spread_is_that_of_today(technology, name):
    """The record says which campaign it was; asked for again, it is still that one."""
    record = registry.load_record(technology, name)
    spread = record.spread
    pareto = registry.load_steps(technology, record.circuit, record.bench)
    planned = plan_campaign(
        record.circuit, record.bench, vary=spread.vary, sampler=spread.sampler, seed=spread.seed, technology=technology,
        steps=pareto.choose(5e-4).steps if pareto else None,
    )  # fmt: skip
    assert record.provenance.plan_digest == planned.digest, "regenerate the record: tools/spread_records.py"
    assert record.parameters == pytest.approx(dict(planned.plan.fixed), abs=0)
    assert spread.n_ok + sum(spread.failed.values()) == spread.n_points == spread.n_requested * len(planned.points)
    declared = registry.load_circuit(record.circuit).random_models(record.bench, record.parameters)
    described = set() if f"{technology}-{name}" in NOT_DESCRIBED else {model.name for model in declared}
    assert {found.model for found in spread.random} == described
    for found in spread.random:
        assert list(found.covariance) == [p for p in ("process", "mismatch") if spread.vary in (p, "both")]
        for matrix in found.covariance.values():
            assert np.linalg.eigvalsh(matrix).min() > -1e-12 * np.abs(matrix).max()
    # With tighter tolerances no point of some studies converges: not of a campaign, if not of the nominal record.
    nominal = registry.load_record(technology, f"{record.circuit}.{record.bench}")
    assert record.numerics or not nominal.numerics
    assert max(record.numerics.values(), default=0.0) < 2e-3


@pytest.mark.parametrize("name", [name for name in CAMPAIGNS if name.endswith("dc_mismatch")])
@pytest.mark.slow
def test_the_random_cells_of_a_record_are_made_again(name, pool):
    """A tenth of its samples give its covariance, within what a tenth can tell."""
    record = registry.load_record(registry.DEFAULT_TECHNOLOGY, name)
    [stored] = record.spread.random
    n = record.spread.n_requested // 8
    planned = plan_campaign(record.circuit, record.bench, vary=record.spread.vary, seed=record.spread.seed)
    items = execute.simulate_samples(planned, n, pool)
    rows = pd.DataFrame([{"i_bl": float(item.values["i_bl"]), "status": OK, "reason": ""} for item in items])
    made = analysis.analyse(planned, rows, n, pool=pool).random[0]
    for old, new in zip(stored.coefficients, made.coefficients, strict=True):
        assert new.sigma == pytest.approx(old.sigma, rel=0.2)
    assert made.explained == pytest.approx(stored.explained, abs=1e-3)
