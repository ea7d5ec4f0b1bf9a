"""The noise floor of a comparison: rms noise of the pulse of a column, which its tables print beside the rms error."""

import numpy as np
import pandas as pd
import pytest
import torch

from gaincell_char import registry, reporting
from gaincell_char.reporting import text
from gaincell_char.torch import GainCellArray
from gaincell_char.validation import score
from gaincell_char.validation.cases import cases, make_validation
from gaincell_char.validation.column_noise import add_noise
from gaincell_char.validation.software_model import make_software_models, pulses_of

RAMP = {"scores": 80e-6, "values": 40e-6}
T_MAX = 15e-9


def planned(**request):
    """A comparison, its models and passes, and rows in which the software model takes the place of SPICE."""
    comparison = make_validation(**{"instances": 2, "tokens": 12, "dim": 16, "columns": 0, **request})
    models = make_software_models(comparison)
    todo = list(cases(comparison, pulses_of(models["scores"])))
    rows = []
    for case in todo:
        model = models[case.operation.name]
        charge = model.charge(model.forms[-1], case.v_store, case.t_pulse)
        output = model.output(model.forms[-1], charge)
        about = {"sample": case.number, "operation": case.operation.name, "query": case.query}
        about |= {"key": "", "status": "ok", "reason": ""}
        rows += [
            {**about, "point": point, "column": point, "q_bl": q, "output": t}
            for point, q, t in zip(case.columns, charge, output, strict=True)
        ]
    return comparison, models, todo, pd.DataFrame(rows)


@pytest.fixture(scope="module")
def found():
    comparison, models, todo, rows = planned()
    return comparison, todo, add_noise(comparison, rows, todo), score.judge(comparison, models, rows, todo)


def test_the_noise_of_a_column_is_that_of_drawn_reads_and_of_the_converter(found):
    _, todo, rows, _ = found
    for case in todo:
        own = rows[rows["sample"] == case.number]
        array = GainCellArray(torch.tensor(case.v_store), read_noise="record")
        reads = array(torch.tensor(case.t_pulse).expand(4000, 1, -1), torch.Generator().manual_seed(1)).squeeze(-2)
        name = {"scores": "relu_c2p", "values": "signed_c2p"}[case.operation.name]
        jitter = registry.load_model(registry.load_record("gc28", f"{name}.noise"), "jitter")
        ends = jitter.fit.valid_range["q_in"]
        converter = jitter(np.clip(own["q_bl"].to_numpy(), *ends))
        of_reads = RAMP[case.operation.name] * np.sqrt(own["noise"] ** 2 - converter**2)
        np.testing.assert_allclose(of_reads, reads.std(0), rtol=0.06)


def test_the_summary_has_the_rms_noise_of_the_columns_with_a_pulse(found):
    *_, rows, judged = found
    assert judged.rows["noise"].tolist() == rows["noise"].tolist()
    for name in ("scores", "values"):
        own = rows[(rows["operation"] == name) & (rows["output"] != 0)]
        [line] = judged.summary[(judged.summary["operation"] == name) & (judged.summary["form"] == "pulsed")].to_dict(
            "records"
        )
        expected = np.sqrt(np.mean(own["noise"] ** 2))
        assert line["n"] == len(own)
        assert line["noise_ns"] == pytest.approx(1e9 * expected, rel=1e-12)
        assert line["noise_percent"] == pytest.approx(100 * expected / T_MAX, rel=1e-12)


def test_a_failed_column_has_no_noise():
    comparison, _, todo, rows = planned(instances=1)
    rows.loc[3, "q_bl"] = np.nan
    assert add_noise(comparison, rows, todo)["noise"].isna().to_numpy().nonzero()[0].tolist() == [3]


@pytest.mark.parametrize(
    "request_", [{"clamp": "resistor"}, {"temp": 85.0}, {"corner": "ss"}, {"vdd": 0.85}], ids=lambda r: next(iter(r))
)
def test_it_is_not_known_without_an_ideal_clamp_or_at_other_conditions(request_):
    comparison, models, todo, rows = planned(instances=1, tokens=4, dim=4, operations=("values",), **request_)
    judged = score.judge(comparison, models, rows, todo)
    assert judged.rows["noise"].isna().all()
    assert judged.summary["noise_percent"].isna().all()
    assert set(reporting.tabulate_comparison(judged)["noise floor ps"]) == {"none"}


def test_the_page_shows_it_beside_the_rms_error(found, tmp_path):
    comparison, *_, judged = found
    about = {"simulator": "none", "technology": "gc28", "spice_s": 1.0, "model_s": 1.0}
    page = reporting.write_comparison(tmp_path, comparison, judged, {}, about).path.read_text()
    assert '<th class="n">rms</th><th class="n">noise floor</th>' in page
    for line in judged.summary.to_dict("records"):
        cells = (text.show(1e-9 * line["rms_ns"], "s"), text.show(1e-9 * line["noise_ns"], "s", 3))
        assert "".join(f'<td class="n">{cell}</td>' for cell in cells) in page
    assert pd.read_csv(tmp_path / "tables" / "outcomes.csv")["noise"].tolist() == judged.rows["noise"].tolist()


def test_the_terminal_prints_it_beside_the_rms_error(found):
    *_, judged = found
    table = reporting.tabulate_comparison(judged)
    assert list(table.columns).index("noise floor ps") == list(table.columns).index("rms ps") + 1
    assert table["noise floor ps"].tolist() == [f"{1e3 * noise:.3g}" for noise in judged.summary["noise_ns"]]
