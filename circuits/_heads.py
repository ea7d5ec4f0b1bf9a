"""What every attention head of Leroux et al. 2025 is made of, whatever its cell."""

from gaincell_char.head import Head, ModelName, Operation, Sliced

SCORES = Operation(
    name="scores", doc="phi(Q K^T)", converter="relu_c2p", output="t_pulse",
    forms={
        "cubic": ModelName(study="transfer", model="hard_sigmoid"),
        "dc": ModelName(study="transfer", model="relu_knee"),
        "pulsed": ModelName(study="transfer", model="relu_knee"),
    },
    random=ModelName(study="transfer_both", model="random_relu"),
)  # fmt: skip
VALUES = Operation(
    name="values", doc="phi(S) V", converter="signed_c2p", output="t_signed",
    forms={
        "cubic": ModelName(study="transfer", model="hard_tanh"),
        "dc": ModelName(study="transfer", model="signed_knee"),
        "pulsed": ModelName(study="transfer", model="signed_knee"),
    },
    random=ModelName(study="transfer_both", model="random_signed"),
)  # fmt: skip


def head(name: str, title: str, cell: str) -> Head:
    """A head with the two charge-to-pulse converters and cells of one kind."""
    return Head(
        name=name, title=title, cell=cell, decay="capacitor_decay", operations=(SCORES, VALUES),
        forms={
            "cubic": ModelName(study="dc", model="cubic"),
            "dc": ModelName(study="dc", model="softplus"),
            "pulsed": ModelName(study="pulse", model="softplus_charge"),
        },
        decay_forms={
            "cubic": ModelName(study="decay", model="exponential"),
            "dc": ModelName(study="decay", model="three_leaks"),
            "pulsed": ModelName(study="decay", model="three_leaks"),
        },
        sliced=Sliced(
            study="bitline", active="active_series", idle="idle_series", edge="edge_series", move="move_series"
        ),
        random=ModelName(study="pulse_both", model="random_charge"),
    )  # fmt: skip
