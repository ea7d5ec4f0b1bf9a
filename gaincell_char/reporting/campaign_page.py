"""Report page of a Monte Carlo campaign: pictures, tables, one ``index.html``."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .. import __version__, registry
from ..declare.bench import Floats
from ..declare.datasheet import MonteCarloBench
from ..fitting import statistics
from ..montecarlo.analysis import Analysis
from ..montecarlo.campaign import Campaign
from ..montecarlo.quantities import SampledQuantity
from ..montecarlo.verify import Verification
from ..storage import tables
from ..sweeping.run import Failure
from ..sweeping.step_control import Steps
from . import page, picture, text, variation_figures
from .parts import Drawn, PageParts, Written, describe_failures

_MOST_BARS = 3


def tabulate_campaign(analysed: Analysis) -> pd.DataFrame:
    """Table of mean and sigma of the quantities shown individually."""
    return pd.DataFrame(_tabulate_row(_describe_quantity(quantity)) for quantity in analysed.shown)


@dataclass(frozen=True, kw_only=True)
class _QuantityRow:
    """A row of the page: moments, the quantiles at three sigmas, and the median and number of censored values."""

    label: str
    unit: str
    span: tuple[float, float]
    low: float
    high: float
    censored: str
    moments: statistics.Moments


def _tabulate_row(row: _QuantityRow) -> dict[str, str]:
    found = row.moments
    return {
        "quantity": row.label,
        "unit": row.unit,
        "mean": row.censored or text.show_number(found.mean, 6),
        "sigma": text.show_number(found.sigma, 6),
        "samples": str(found.n),
        "95 % of sigma": f"{text.show_number(found.sigma_low, 4)} .. {text.show_number(found.sigma_high, 4)}",
    }


def _describe_quantity(quantity: SampledQuantity) -> _QuantityRow:
    low, middle, high = statistics.quantiles(quantity.values, (0.00135, 0.5, 0.99865))["value"].to_numpy()
    found = statistics.moments(quantity.values)
    return _QuantityRow(
        label=quantity.label,
        unit=quantity.unit,
        span=quantity.span,
        low=low,
        high=high,
        censored=_describe_censored(quantity, float(middle), found.n) if quantity.n_outside else "",
        moments=found,
    )


def _describe_censored(quantity: SampledQuantity, median: float, n: int) -> str:
    """What is known of a quantity some of whose values are censored: ``median 12 s, > 1 ks in 3 of 8``."""
    shown = [
        f"{text.show_outside(side, quantity.span, quantity.unit)} in {count} of {n}"
        for side, count in quantity.n_outside.items()
    ]
    middle = [f"median {text.show(median, quantity.unit)}"] if np.isfinite(median) else []
    return ", ".join([*middle, *shown])


def write_campaign(
    out: Path, campaign: Campaign, analysed: Analysis, check: Verification, failed: Sequence[Failure] = ()
) -> Written:
    """Write pictures, tables, record and page of a campaign to its folder.

    Parameters
    ----------
    out : Path
        Folder of the campaign.
    campaign : Campaign
        The campaign.
    analysed : Analysis
        Its analysis.
    check : Verification
        Result of the repeated points.
    failed : sequence of Failure
        The first few failed points; their decks and logs are in ``failed/``.

    Raises
    ------
    StorageError
        If a file cannot be written.
    """
    tables.make_inside(out, "figures", "tables")
    parts = PageParts(out=out)
    for name, caption, draw in _list_pictures(campaign, analysed):
        parts.add_picture(name, caption, draw)
    for name in ("moments", "quantiles", "contributions", "worst"):
        tables.write_frame(getattr(analysed, name), out / "tables" / f"{name}.csv")
    tables.write_text(out / "record.json", analysed.record.to_json())
    tables.write_text(out / "index.html", _fill_page(out, campaign, analysed, check, parts, failed))
    return parts.finish()


def _fill_page(
    out: Path, campaign: Campaign, analysed: Analysis, check: Verification, parts: PageParts, failed: Sequence[Failure]
) -> str:
    circuit, about = campaign.plan.circuit, analysed.record.provenance
    units = {quantity.label: quantity.unit for quantity in analysed.quantities}
    worst = analysed.worst.assign(unit=[units[label] for label in analysed.worst["quantity"]])
    spread_of = analysed.record.spread
    assert spread_of is not None  # noqa: S101  the record of a campaign has one
    command = ["gaincell", "mc", circuit.name, campaign.plan.bench.name, "-o", str(out)]
    if campaign.request["technology"] not in registry.technology_names():
        command += ["--tech", str(campaign.request["technology"])]
    return page.fill(
        "campaign.html.j2",
        title=circuit.title,
        circuit=circuit.name,
        bench=campaign.plan.bench.name,
        vary=_VARY[campaign.vary],
        technology=campaign.plan.technology.name,
        n=analysed.n,
        points=about.n_points,
        failed=about.n_failed,
        reasons=spread_of.failed,
        failures=describe_failures(failed, out),
        sampler=campaign.sampler.kind,
        seed=campaign.sampler.seed,
        steps=Steps.model_validate(campaign.request["steps"]).label,
        tight=check.tight,
        simulator=about.simulator,
        version=__version__,
        rows=[_describe_quantity(quantity) for quantity in analysed.shown],
        yields=analysed.yields,
        random=analysed.random,
        left_out=[*analysed.left_out, *parts.missing],
        pictures=parts.pictures,
        worst=worst.to_dict("records"),
        checked=check.ids,
        alone=max(check.alone.values(), default=0.0),
        replay=f"{shlex.join(command)} --replay",
        retry=f"{shlex.join([*command, '-n', str(analysed.n)])} --retry-failed",
    )


_VARY = {
    "process": "process variation, without mismatch",
    "mismatch": "mismatch, at the typical process",
    "both": "process variation and mismatch",
}


_Draw = Callable[[], Drawn]


def _list_pictures(campaign: Campaign, analysed: Analysis) -> Iterator[tuple[str, str, _Draw]]:
    """Name, caption and drawing of every picture."""
    yield from _list_bands(campaign, analysed)
    for number, quantity in enumerate(analysed.shown):
        yield f"distribution_{number}", f"Distribution of {quantity.label}", partial(_draw_distribution, quantity)
    first = analysed.shown[len(analysed.shown) // 2]
    yield "convergence", f"Mean and sigma of {first.label} by number of samples", partial(_draw_convergence, first)
    names = list(dict.fromkeys(analysed.contributions["quantity"])) if len(analysed.contributions) else []
    for number, name in enumerate(names[:: max(1, len(names) // _MOST_BARS)]):
        caption = f"Contributions to the variance of {name}"
        yield f"contribution_{number}", caption, partial(_draw_contributions, analysed.contributions, name)


def _draw_distribution(quantity: SampledQuantity) -> Drawn:
    return variation_figures.draw_distribution(quantity.values, label=_label_quantity(quantity), title=quantity.label)


def _draw_convergence(quantity: SampledQuantity) -> Drawn:
    return variation_figures.draw_convergence(
        statistics.convergence(quantity.values), label=_label_quantity(quantity), title=quantity.label
    )


def _draw_contributions(table: pd.DataFrame, name: str) -> Drawn:
    return variation_figures.draw_contributions(
        table.loc[table["quantity"] == name, ["group", "share", "low", "high"]], title=name
    )


def _label_quantity(quantity: SampledQuantity) -> picture.AxisQuantity:
    return picture.AxisQuantity(name=quantity.name, unit=quantity.unit, doc=quantity.doc)


def _list_bands(campaign: Campaign, analysed: Analysis) -> Iterator[tuple[str, str, _Draw]]:
    """The main output over its axis; one picture per value of the other dimensions."""
    declared = campaign.plan.circuit.spread(campaign.plan.bench.name)
    if declared is None or analysed.grid.sizes.get(declared.x, 0) < 2 or declared.output not in analysed.grid:
        return
    output = campaign.plan.bench.output(declared.output)
    whole = analysed.grid[declared.output]
    others = [str(d) for d in whole.dims if d not in ("sample", declared.x)]
    for index in np.ndindex(*(whole.sizes[d] for d in others)):
        at = dict(zip(others, index, strict=True))
        told = {d: whole[d].to_numpy()[i] for d, i in at.items() if whole.sizes[d] > 1}
        title = ", ".join([campaign.plan.circuit.title, *(f"{k} = {v}" for k, v in told.items())])
        yield (
            "_".join(["band", *map(str, index)]),
            f"{output.doc} of {whole.sizes['sample']} samples; {title}",
            partial(_draw_band, campaign, analysed, declared, at, title),
        )


def _draw_band(
    campaign: Campaign, analysed: Analysis, declared: MonteCarloBench, at: dict[str, int], title: str
) -> Drawn:
    output = campaign.plan.bench.output(declared.output)
    whole = analysed.grid[declared.output]
    return variation_figures.draw_band(
        whole[declared.x].to_numpy(),
        whole.isel(at).transpose("sample", declared.x).to_numpy(),
        x_label=_label_axis(campaign, declared.x),
        title=title,
        y_label=picture.AxisQuantity(name=output.name, unit=output.unit, doc=output.doc),
        nominal=analysed.typical[declared.output].isel(at).to_numpy(),
        model=_compute_model_sigma(campaign, analysed, at, declared.x),
        log_x=campaign.plan.bench.curve is not None,
    )


def _label_axis(campaign: Campaign, name: str) -> picture.AxisQuantity:
    curve = campaign.plan.bench.curve
    if curve is not None and curve.name == name:
        return picture.AxisQuantity(name=name, unit=curve.unit, doc=curve.doc)
    parameter = campaign.plan.params[name]
    return picture.AxisQuantity(name=name, unit=parameter.unit, doc=parameter.doc)


def _compute_model_sigma(campaign: Campaign, analysed: Analysis, at: dict[str, int], x: str) -> Floats | None:
    """Sigma of the random model over the axis; None if there is no such model."""
    for fit in analysed.random:
        place = {d: analysed.grid[d].to_numpy()[i] for d, i in at.items()}
        if not fit.conditions.items() <= place.items():
            continue
        axis = analysed.grid[x].to_numpy()
        held = {**campaign.plan.fixed, **place}
        inputs = [axis if name == x else np.full(axis.shape, float(held[name])) for name in fit.inputs]
        return registry.load_random(analysed.record, fit.model, **fit.conditions).sigma(*inputs)
    return None
