"""A behavioural subcircuit with the transistor netlist's name and ports."""

from collections.abc import Mapping

from .. import macro_writer, printing
from ..target import Request, Target

_PARAMETER = "{{{}}}"


def _files(request: Request) -> Mapping[str, str]:
    made = macro_writer.sharing(macro_writer.parts(request))
    named = macro_writer.names(made, made.macro.spice, _PARAMETER)
    notes = request.notes(made.macro.not_modelled)
    usage = f"stands in for the transistor netlist: gaincell sweep {made.name} {request.record.bench} --netlist FILE"
    lines = [
        *(f"* {line}" for line in [*notes, usage]),
        f".subckt {made.name} {' '.join(made.ports)}",
        *(f"+ {name}={value!r}" for name, value in made.values.items()),
        *(f"b{name} {name} 0 v={printing.spice(formula, named)}" for name, formula in made.helpers.items()),
        macro_writer.fill(made, made.macro.spice, printing.spice, _PARAMETER),
        f".ends {made.name}",
        *filter(None, [made.macro.spice.appendix]),
    ]
    return {f"{made.name}.cir": "\n".join(lines) + "\n"}


TARGET = Target(
    name="spice",
    doc="behavioural .subckt of B sources, with the ports of the transistor netlist",
    refuses=macro_writer.refuses,
    files=_files,
)
