"""The options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help="The store: a file, or sqlite:///path. Otherwise OLLAMATRACE_SERVER if it names one, "
        "else the store in your data folder.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print record lines: one JSON object a span, nothing else."),
]

TextOption = Annotated[
    str | None,
    typer.Option("--text", "-t", metavar="TEXT", help="With this text in it.", show_default=False),
]
StatusOption = Annotated[
    str | None,
    typer.Option(metavar="STATUS", help="OK, ERROR or CANCELLED.", show_default=False),
]
ModelOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="With a call of this model.", show_default=False),
]
SessionOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Of this session.", show_default=False)
]
ExperimentOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of this experiment.", show_default=False)
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="Not older than 30m, 2h, 3d, or an ISO date or time.",
        show_default=False,
    ),
]
