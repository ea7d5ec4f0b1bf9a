"""Check that Monte Carlo, which alters a running simulator, changes a device as its parameters in a netlist do."""

from collections.abc import Iterable, Iterator, Mapping

from ..declare.bench import Tran
from ..errors import NetlistError
from ..spice.hierarchy import MISMATCH, find_devices
from ..spice.netlist import as_netlist
from .technology_bench import DeviceBench

_BIAS = 0.9
"""Gate and drain voltage, as a fraction of the supply."""
_DEVIATIONS = {"dvth": 0.01, "dmu": 0.03, "dcap": 0.03}
"""Tested deviation of each parameter of `MISMATCH`."""
_PROCESS_SIGMAS = 1.0
"""Tested deviation of each process parameter, in sigmas."""
_DIFFERENCE = 1e-4
"""Largest difference between the relative changes of the current by ``alter`` and in the netlist."""
_CAPACITANCE = "c=1p"
_SLOPE = "pulse(0 1 0 1u 1u 1u 9u)"


def hook_failures(bench: DeviceBench) -> Iterator[str]:
    """Devices whose deviations Monte Carlo cannot apply, or applies without the effect that they have in a netlist."""
    for device in (*bench.conducting, *(["cap"] if bench.has("cap") else [])):
        declared = as_netlist(bench.technology.text).subcircuits.get(device)
        have = set(declared.defaults) if declared else set(MISMATCH)
        wanted = _wanted(bench, device)
        if missing := [name for name in wanted if name not in have]:
            yield _missing(device, missing)
            continue
        try:
            yield from _compare(bench, device, {name: _DEVIATIONS[name] for name in MISMATCH if name in have})
        except NetlistError as error:
            yield f"{device}: {error}"


def _wanted(bench: DeviceBench, device: str) -> tuple[str, ...]:
    """Parameters of a wrapper device that the mismatch coefficients of the technology need."""
    own = bench.technology.mismatch.of(device)
    needed = {"dcap": own.a_c} if device == "cap" else {"dvth": own.a_vt, "dmu": own.a_beta}
    return tuple(name for name, coefficient in needed.items() if coefficient > 0)


def _missing(device: str, missing: list[str]) -> str:
    coefficients = {"dvth": "a_vt", "dmu": "a_beta", "dcap": "a_c"}
    entries = ", ".join(coefficients[name] for name in missing)
    return (
        f"{device} has no parameter {', '.join(missing)}: add {' '.join(f'{name}=0' for name in missing)} to its "
        f".subckt line and use it there, or set {entries} = 0 in [mismatch] of technology.toml"
    )


def _compare(bench: DeviceBench, device: str, own: Mapping[str, float]) -> Iterator[str]:
    """Change the random parameters of a device in the netlist and by ``alter``; name those with another effect."""
    nominal = bench.technology.corner("tt")
    lines = _lines(bench, device, "")
    found = find_devices(bench.netlist(lines, "tt"), nominal, tuple(nominal))
    deviations = {**own, **{name: _PROCESS_SIGMAS * sigma for name, sigma in bench.technology.process.items()}}
    reference = _current(bench, lines, nominal, {})

    def simulate_both(names: Iterable[str]) -> tuple[float, float]:
        """Relative changes of the current by the deviations of these parameters: by ``alter``, and in the netlist."""
        moved = {**nominal, **{name: nominal[name] + deviations[name] for name in names if name in nominal}}
        mismatch = {name: deviations[name] for name in names if name in own}
        targets = {key: float(value) for one in found for key, value in one.altered({**moved, **mismatch}).items()}
        text = " ".join(f"{name}={value!r}" for name, value in mismatch.items())
        altered, written = (
            _current(bench, lines, nominal, targets),
            _current(bench, _lines(bench, device, text), moved, {}),
        )
        return altered / reference - 1, written / reference - 1

    def differ(names: Iterable[str]) -> bool:
        altered, written = simulate_both(names)
        return not abs(altered - written) < _DIFFERENCE

    if differ(deviations):
        for name in filter(lambda name: differ([name]), deviations):
            altered, written = simulate_both([name])
            yield (
                f"{device}: {name} = {deviations[name]:g} changes the current by {100 * altered:.3g} % in Monte Carlo, "
                f"and by {100 * written:.3g} % in a netlist; use {name} in a value that the command alter of ngspice "
                "changes, such as that of a resistor"
            )


def _lines(bench: DeviceBench, device: str, parameters: str) -> list[str]:
    if device == "cap":
        return [f"vd0 q 0 {_SLOPE}", f"x0 q 0 cap {_CAPACITANCE} {parameters}"]
    bias_v = _BIAS * bench.technology.supply
    return bench.instance_lines(0, device, bias_v, bias_v, parameters)


def _current(bench: DeviceBench, lines: list[str], process: Mapping[str, float], alters: Mapping[str, float]) -> float:
    """Current of the only device [A]; of a capacitor, the last value on the slope of its voltage."""
    analysis = Tran(stop=0.5e-6, max_step=50e-9) if _SLOPE in lines[0] else None
    return float(bench.simulate(lines, ["i(vd0)"], process=process, analysis=analysis, alters=alters)["i(vd0)"][-1])
