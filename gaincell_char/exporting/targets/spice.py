"""A behavioural subcircuit with name and ports of the transistor netlist."""

from collections.abc import Mapping

from .. import macro_writer, printing
from ..target import Request, Target
from ..templates import fill_template

_SPICE = macro_writer.Language(format=printing.format_spice, parameter="{{{}}}")


def _make_files(request: Request) -> Mapping[str, str]:
    parts = macro_writer.factor_out(macro_writer.make_parts(request))
    spice = parts.macro.spice
    text = fill_template(
        "spice.cir.j2",
        notes=request.write_notes(parts.macro.not_modelled),
        name=parts.name,
        bench=request.record.bench,
        ports=parts.ports,
        parameters=parts.values,
        helpers=macro_writer.write_helpers(parts, spice, _SPICE),
        body=macro_writer.write_lines(parts, spice, _SPICE),
        appendix=spice.appendix.splitlines(),
    )
    return {f"{parts.name}.cir": text}


TARGET = Target(
    name="spice",
    doc="behavioural .subckt of B sources, with the ports of the transistor netlist",
    make_files=_make_files,
    explain_refusal=macro_writer.explain_refusal,
)
