"""A Verilog-A module with the transistor netlist's name and ports."""

from collections.abc import Mapping

from ...errors import ExportError
from .. import macro_writer, printing
from ..target import Request, Target
from ..templates import fill_template

_PARAMETER = "p_{}"  # as the template declares them


def _refuses(request: Request) -> str:
    why = macro_writer.refuses(request)
    return why or ("" if macro_writer.parts(request).macro.verilog_a else "its circuit declares no Verilog-A text")


def _files(request: Request) -> Mapping[str, str]:
    made = macro_writer.parts(request)
    verilog_a = made.macro.verilog_a
    if verilog_a is None:
        raise ExportError(_refuses(request))
    text = fill_template(
        "verilog_a.va.j2",
        notes=request.notes(made.macro.not_modelled),
        name=made.name,
        ports=made.ports,
        nodes=verilog_a.nodes,
        parameters=made.values,
        variables=verilog_a.variables,
        body=macro_writer.fill(made, verilog_a, printing.verilog_a, _PARAMETER),
    )
    return {f"{made.name}.va": text}


TARGET = Target(
    name="verilog-a",
    doc="the same as a Verilog-A module, for simulators that load compiled models",
    refuses=_refuses,
    files=_files,
)
