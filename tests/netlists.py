"""SPICE text that tests put together."""

from gaincell_char.spice.blocks import prune
from gaincell_char.spice.netlist import as_netlist


def with_devices(library, user):
    """A text behind the wrapper devices that it uses."""
    return f"{prune(library, as_netlist(user)).text}\n{user}"
