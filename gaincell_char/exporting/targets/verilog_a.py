"""A Verilog-A module with name and ports of the transistor netlist."""

from collections.abc import Mapping

from ...errors import ExportError
from .. import macro_writer, printing
from ..target import Request, Target
from ..templates import fill_template

# The template declares the parameters by these names.
_VERILOG_A = macro_writer.Language(format=printing.format_verilog_a, parameter="p_{}")


def _explain_refusal(request: Request) -> str:
    if why := macro_writer.explain_refusal(request):
        return why
    return "" if macro_writer.make_parts(request).macro.verilog_a else "its circuit declares no Verilog-A text"


def _make_files(request: Request) -> Mapping[str, str]:
    parts = macro_writer.make_parts(request)
    verilog_a = parts.macro.verilog_a
    if verilog_a is None:
        raise ExportError(_explain_refusal(request))
    text = fill_template(
        "verilog_a.va.j2",
        notes=request.write_notes(parts.macro.not_modelled),
        name=parts.name,
        ports=parts.ports,
        nodes=verilog_a.nodes,
        parameters=parts.values,
        variables=verilog_a.variables,
        body=macro_writer.write_lines(parts, verilog_a, _VERILOG_A),
    )
    return {f"{parts.name}.va": text}


TARGET = Target(
    name="verilog-a",
    doc="behavioural Verilog-A module, for simulators that load compiled models",
    make_files=_make_files,
    explain_refusal=_explain_refusal,
)
