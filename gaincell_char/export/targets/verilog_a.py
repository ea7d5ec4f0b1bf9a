"""A Verilog-A module with the transistor netlist's name and ports."""

from collections.abc import Mapping

from ...errors import ExportError
from .. import macro_writer, printing
from ..target import Request, Target

_PARAMETER = "p_{}"


def _refuses(request: Request) -> str:
    why = macro_writer.refuses(request)
    return why or ("" if macro_writer.parts(request).macro.verilog_a else "its circuit declares no Verilog-A text")


def _files(request: Request) -> Mapping[str, str]:
    made = macro_writer.parts(request)
    text = made.macro.verilog_a
    if text is None:
        raise ExportError(_refuses(request))
    lines = [
        *(f"// {line}" for line in request.notes(made.macro.not_modelled)),
        '`include "disciplines.vams"',
        f"module {made.name}({', '.join(made.ports)});",
        f"  inout {', '.join(made.ports)};",
        f"  electrical {', '.join([*made.ports, *text.nodes])};",
        *(f"  parameter real {_PARAMETER.format(name)} = {value!r};" for name, value in made.values.items()),
        *(f"  real {name};" for name in text.variables),
        "  analog begin",
        macro_writer.fill(made, text, printing.verilog_a, _PARAMETER),
        "  end",
        "endmodule",
    ]
    return {f"{made.name}.va": "\n".join(lines) + "\n"}


TARGET = Target(
    name="verilog-a",
    doc="the same as a Verilog-A module, for simulators that load compiled models",
    refuses=_refuses,
    files=_files,
)
