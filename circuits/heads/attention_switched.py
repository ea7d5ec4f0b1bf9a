"""The same head with cells that bear a bitline that swings, so that it needs no clamp."""

from . import _head

HEAD = _head.head("attention_switched", "Attention head with switches at the bitline", "gain_cell_switched")
