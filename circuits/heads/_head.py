"""What every attention head of Leroux et al. 2025 is made of, whatever its cell."""

from gaincell_char.declare.attention_head import Head, ModelName, Operation, Sag, Sliced

from ..converters import relu_c2p, signed_c2p
from ..converters._benches import CONTROLS

_BIAS = "xbias<b> vbp<b> vbn<b> vdd 0 bias"
JITTER = ModelName(study="noise", model="jitter")
PATH = ModelName(study="path", model="path_leak")

SCORES = Operation(
    name="scores",
    doc="phi(Q K^T)",
    converter="relu_c2p",
    output="t_pulse",
    forms={
        "cubic": ModelName(study="transfer", model="hard_sigmoid"),
        "dc": ModelName(study="transfer", model="relu_knee"),
        "pulsed": ModelName(study="transfer", model="relu_knee"),
    },
    random=ModelName(study="transfer_both", model="random_relu"),
    bench="transfer",
    controls=CONTROLS,
    bias_line=_BIAS,
    converter_line=relu_c2p.LINE,
    noise=JITTER,
    shared=ModelName(study="shared", model="shared_source"),
    path=PATH,
)
VALUES = Operation(
    name="values",
    doc="phi(S) V",
    converter="signed_c2p",
    output="t_signed",
    forms={
        "cubic": ModelName(study="transfer", model="hard_tanh"),
        "dc": ModelName(study="transfer", model="signed_knee"),
        "pulsed": ModelName(study="transfer", model="signed_knee"),
    },
    random=ModelName(study="transfer_both", model="random_signed"),
    bench="transfer",
    controls=CONTROLS,
    bias_line=_BIAS,
    converter_line=signed_c2p.LINE,
    noise=JITTER,
    shared=ModelName(study="shared", model="shared_source_and_sink"),
    path=PATH,
)


def head(name: str, title: str, cell: str, sag: Sag | None = None) -> Head:
    """A head with the two charge-to-pulse converters and cells of one kind."""
    return Head(
        name=name,
        title=title,
        cell=cell,
        decay="capacitor_decay",
        operations=(SCORES, VALUES),
        forms={
            "cubic": ModelName(study="dc", model="cubic"),
            "dc": ModelName(study="dc", model="ekv"),
            "pulsed": ModelName(study="pulse", model="ekv_charge"),
        },
        decay_forms={
            "cubic": ModelName(study="decay", model="exponential"),
            "dc": ModelName(study="decay", model="four_leaks"),
            "pulsed": ModelName(study="decay", model="four_leaks"),
        },
        sliced=Sliced(
            study="bitline", active="active_series", idle="idle_series", edge="edge_series", move="move_series"
        ),
        leak_random=ModelName(study="leak_both", model="random_leaks"),
        leak_rates={"x_lo": "r_lo", "x_hi": "r_hi"},
        random=ModelName(study="pulse_both", model="random_charge"),
        shared="vwbl wbl 0 {v_wbl}",
        row_levels={"wlr": ("{v_idle}", "{vdd}"), "wlrb": ("{vdd-v_idle}", "0")},
        cell_line=f"xcell<i> <bl> <wlr> <wlrb> wbl 0 vdd st<i> vdd 0 {cell}",
        noise=ModelName(study="noise", model="charge_noise"),
        write_forms=dict.fromkeys(("dc", "pulsed"), ModelName(study="write", model="feed_through")),
        sag=sag,
    )
