"""The page of a Monte Carlo campaign: pictures, tables, one ``index.html``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import __version__, registry, statistics, store
from ..analysis import Analysis, Quantity
from ..campaign import Campaign
from ..check import Check
from ..errors import StorageError
from ..steps import Steps
from . import page, picture, spread

_MOST_BARS = 3


def campaign_headline(analysed: Analysis) -> pd.DataFrame:
    """Mean and sigma of what the page shows one by one."""
    rows = [_row(quantity) for quantity in analysed.shown]
    return pd.DataFrame(
        {
            "quantity": row["label"], "unit": row["unit"], "mean": row["mean"], "sigma": row["sigma"],
            "95 % of sigma": f"{row['sigma_low']:.4g} .. {row['sigma_high']:.4g}", "samples": str(row["n"]),
        }
        for row in rows
    )  # fmt: skip


def _row(quantity: Quantity) -> dict[str, Any]:
    ends = statistics.quantiles(quantity.values, (0.00135, 0.99865))["value"].to_numpy()
    about = {"label": quantity.label, "unit": quantity.unit, "low": ends[0], "high": ends[1]}
    return {**about, **vars(statistics.moments(quantity.values))}


def write_campaign(out: Path, campaign: Campaign, analysed: Analysis, check: Check) -> Path:
    """Write pictures, tables, record and page of a campaign into its folder.

    Returns
    -------
    Path
        ``out/index.html``.

    Raises
    ------
    StorageError
        If something could not be written.
    """
    drawn: list[tuple[str, str]] = []
    try:
        for folder in ("figures", "tables"):
            (out / folder).mkdir(exist_ok=True)
        for name, caption, (png, svg) in _pictures(campaign, analysed):
            store.write_bytes(out / "figures" / f"{name}.png", png)
            store.write_text(out / "figures" / f"{name}.svg", svg)
            drawn.append((name, caption))
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{error.filename or out} could not be made ({store.why(error)})") from error
    for name in ("moments", "quantiles", "contributions", "worst"):
        store.write_frame(getattr(analysed, name), out / "tables" / f"{name}.csv")
    store.write_text(out / "record.json", analysed.record.to_json())
    store.write_text(out / "index.html", _page(campaign, analysed, check, drawn))
    return out / "index.html"


def _page(campaign: Campaign, analysed: Analysis, check: Check, drawn: list[tuple[str, str]]) -> str:
    circuit, about = campaign.plan.circuit, analysed.record.provenance
    units = {quantity.label: quantity.unit for quantity in analysed.quantities}
    worst = analysed.worst.assign(unit=[units[label] for label in analysed.worst["quantity"]])
    spread_of = analysed.record.spread
    assert spread_of is not None  # noqa: S101  the record of a campaign has one
    return page.fill(
        "campaign.html.j2",
        title=circuit.title, circuit=circuit.name, bench=campaign.plan.bench.name, vary=_VARY[campaign.vary],
        technology=campaign.plan.technology.name, n=analysed.n, points=about.n_points, failed=about.n_failed,
        failures=spread_of.failed, sampler=campaign.sampler.kind, seed=campaign.sampler.seed,
        steps=Steps.model_validate(campaign.request["steps"]).label, tight=check.tight, simulator=about.simulator,
        version=__version__, rows=[_row(quantity) for quantity in analysed.shown], yields=analysed.yields,
        random=analysed.random, left_out=analysed.left_out, pictures=drawn, worst=worst.to_dict("records"),
        checked=check.ids, alone=max(check.alone.values(), default=0.0),
    )  # fmt: skip


_VARY = {
    "process": "dies drawn, their devices alike",
    "mismatch": "devices drawn, on a typical die",
    "both": "a die and its devices drawn for every sample",
}


def _pictures(campaign: Campaign, analysed: Analysis) -> Iterator[tuple[str, str, spread.Drawn]]:
    yield from _bands(campaign, analysed)
    for number, quantity in enumerate(analysed.shown):
        label = picture.Quantity(name=quantity.name, unit=quantity.unit, doc=quantity.doc)
        yield (
            f"distribution_{number}", f"Distribution of {quantity.label}",
            spread.distribution(quantity.values, label=label, title=quantity.label),
        )  # fmt: skip
    first = analysed.shown[len(analysed.shown) // 2]
    label = picture.Quantity(name=first.name, unit=first.unit, doc=first.doc)
    yield (
        "convergence", f"Mean and sigma of {first.label} by number of samples",
        spread.running(statistics.convergence(first.values), label=label, title=first.label),
    )  # fmt: skip
    names = list(dict.fromkeys(analysed.contributions["quantity"])) if len(analysed.contributions) else []
    for number, name in enumerate(names[:: max(1, len(names) // _MOST_BARS)]):
        shares = analysed.contributions.loc[
            analysed.contributions["quantity"] == name, ["group", "share", "low", "high"]
        ]
        yield (
            f"contribution_{number}",
            f"What the variance of {name} comes from",
            spread.contribution(shares, title=name),
        )


def _bands(campaign: Campaign, analysed: Analysis) -> Iterator[tuple[str, str, spread.Drawn]]:
    """The main output over its axis, at the first place of every other dimension; one picture per condition."""
    declared = campaign.plan.circuit.spread(campaign.plan.bench.name)
    if declared is None or analysed.cube.sizes.get(declared.x, 0) < 2 or declared.output not in analysed.cube:
        return
    output = campaign.plan.bench.output(declared.output)
    y = picture.Quantity(name=output.name, unit=output.unit, doc=output.doc)
    x = _axis(campaign, declared.x)
    whole = analysed.cube[declared.output]
    others = [str(d) for d in whole.dims if d not in ("sample", declared.x)]
    for index in np.ndindex(*(whole.sizes[d] for d in others)):
        at = dict(zip(others, index, strict=True))
        samples = whole.isel(at).transpose("sample", declared.x).to_numpy()
        told = {d: whole[d].to_numpy()[i] for d, i in at.items() if whole.sizes[d] > 1}
        title = ", ".join([campaign.plan.circuit.title, *(f"{k} = {v}" for k, v in told.items())])
        yield (
            "_".join(["band", *map(str, index)]), f"{output.doc} of {len(samples)} samples; {title}",
            spread.band(
                whole[declared.x].to_numpy(), samples, x_label=x, y_label=y, title=title,
                nominal=analysed.typical[declared.output].isel(at).to_numpy(),
                model=_model_sigma(campaign, analysed, at, declared.x),
                log_x=campaign.plan.bench.curve is not None,
            ),
        )  # fmt: skip


def _axis(campaign: Campaign, name: str) -> picture.Quantity:
    curve = campaign.plan.bench.curve
    if curve is not None and curve.name == name:
        return picture.Quantity(name=name, unit=curve.unit, doc=curve.doc)
    parameter = campaign.plan.params[name]
    return picture.Quantity(name=name, unit=parameter.unit, doc=parameter.doc)


def _model_sigma(campaign: Campaign, analysed: Analysis, at: dict[str, int], x: str) -> Any:
    """Sigma of the compact model over the axis, where it has one; None otherwise."""
    for fit in analysed.random:
        place = {d: analysed.cube[d].to_numpy()[i] for d, i in at.items()}
        if not fit.conditions.items() <= place.items():
            continue
        axis = analysed.cube[x].to_numpy()
        inputs = [axis if name == x else np.full(axis.shape, float(campaign.plan.fixed[name])) for name in fit.inputs]
        return registry.load_random(analysed.record, fit.model, **fit.conditions).sigma(*inputs)
    return None
