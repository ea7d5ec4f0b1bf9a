"""Errors that the records state for the columns of an attention head, without a simulation."""

import numpy as np

from ..declare.attention_head import Head
from ..declare.bench import Floats
from ..fitting.fitted import parameter
from ..registry import Records, find_record
from ..torch.bitline import Bitline
from ..torch.elements import longest_pulse
from ..torch.predict import SoftwareModel
from .cases import SHORTEST
from .tensors import random_inputs

TOKENS = DIM = 64
"""Size of the drawn tensors: that of `gaincell compare` by default."""
_SEED = 1


def state_column_errors(records: Records, head: Head) -> dict[str, float]:
    """Stated rms error of the columns of each operation, for one query of random tensors of 64 tokens by 64.

    The tensors are those that ``gaincell compare`` draws by default, and the error is what its table calls stated:
    the median over the columns with a pulse.

    Parameters
    ----------
    records : str or Path
        A packaged set of records, or a folder of records.
    head : Head
        The attention head.

    Returns
    -------
    dict of str to float
        Operation -> error, as a fraction of the longest pulse [dimensionless].

    Raises
    ------
    DataError
        If the records lack a model, or a record states no error.
    """
    t_max = longest_pulse(records, head.name)
    vdd = parameter(find_record(records, f"{head.cell}.{next(iter(head.forms.values())).study}"), "vdd")
    drawn = random_inputs(1, TOKENS, DIM, vdd, _SEED, (head.levels_input, head.levels_store))
    pulses, found = drawn.q[0, -1] * t_max, {}
    for operation, stored in zip(head.operations, (drawn.k[0].T, drawn.v[0]), strict=True):
        c_int = parameter(find_record(records, f"{operation.converter}.{operation.bench}"), "c_int")
        model = SoftwareModel(head=head, operation=operation, records=records, bitline=Bitline(c_bl=c_int))
        output, stated = _predict(model, np.ascontiguousarray(stored), pulses)
        found[operation.name] = float(np.median(stated[output != 0])) / t_max if output.any() else float("nan")
        pulses = np.clip(output, 0.0, t_max)
    return found


def _predict(model: SoftwareModel, v_store: Floats, pulses: Floats) -> tuple[Floats, Floats]:
    """Pulses of all columns and their stated errors [s], shape (columns,), by the best form of the model."""
    form, t_pulse = model.forms[-1], np.where(pulses < SHORTEST, 0.0, pulses)
    charge = model.charge(form, v_store, t_pulse)
    return model.output(form, charge), model.stated(form, charge, t_pulse)
