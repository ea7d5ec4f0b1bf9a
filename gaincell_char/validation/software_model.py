"""The PyTorch model for a validation against SPICE."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..declare.bench import Floats
from ..torch.bitline import Bitline
from ..torch.predict import SoftwareModel
from .cases import Validation


def make_software_models(comparison: Validation) -> dict[str, SoftwareModel]:
    """Operation -> its software model, with the bitlines of the comparison.

    Raises
    ------
    DataError
        If the records lack a model, or a record states no error.
    """
    tokens, dim = comparison.inputs.shape[1:]
    first = comparison.declared.operations[0]
    found = {}
    for operation in comparison.declared.operations:
        wire = comparison.c_wire * (dim if operation is first else tokens)
        held = Bitline(
            kind=comparison.clamp, r_clamp=comparison.r_clamp, c_bl=comparison.circuit(operation)["c_int"] + wire
        )
        model = SoftwareModel(
            head=comparison.declared,
            operation=operation,
            records=comparison.model_records,
            bitline=held,
            periphery=comparison.periphery,
            write=comparison.write,
            hold=comparison.hold,
        )
        for form in model.forms:
            model.stated(form, np.zeros(1), np.array([1e-9]))
        found[operation.name] = model
    return found


def pulses_of(scores: SoftwareModel) -> Callable[[Floats, Floats], Floats]:
    """Function from keys and a query to the pulses of the scores, by the best form of the software model.

    Each converter has its own bias: the pulses only have to be the same for SPICE and the software model.
    """
    alone = replace(scores, periphery=None)

    def pulses(v_store: Floats, t_pulse: Floats) -> Floats:
        form = scores.forms[-1]
        return alone.output(form, scores.charge(form, v_store, t_pulse))

    return pulses
