"""A behavioural subcircuit with the transistor netlist's name and ports."""

from collections.abc import Mapping

from .. import macro_writer, printing
from ..target import Request, Target
from ..templates import fill_template

_PARAMETER = "{{{}}}"


def _files(request: Request) -> Mapping[str, str]:
    made = macro_writer.sharing(macro_writer.parts(request))
    spice = made.macro.spice
    named = macro_writer.names(made, spice, _PARAMETER)
    text = fill_template(
        "spice.cir.j2",
        notes=request.notes(made.macro.not_modelled),
        name=made.name,
        bench=request.record.bench,
        ports=made.ports,
        parameters=made.values,
        nodes={name: printing.spice(formula, named) for name, formula in made.helpers.items()},
        body=macro_writer.fill(made, spice, printing.spice, _PARAMETER),
        appendix=spice.appendix.splitlines(),
    )
    return {f"{made.name}.cir": text}


TARGET = Target(
    name="spice",
    doc="behavioural .subckt of B sources, with the ports of the transistor netlist",
    refuses=macro_writer.refuses,
    files=_files,
)
