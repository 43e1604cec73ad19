"""`ollamatrace ls` and `show` as a user runs them: in a process of their own."""

import json
import signal
import subprocess
import sys

import pytest

A = "a" * 32
B = "a" * 9 + "b" * 23
C = "c" * 32


def test_ls_lists_the_newest_first(run, path, fill, make):
    fill(*make.agent(A), make.chat(C, 1, start=60.0, asked="What is\nnew?"))
    done = run("ls", "--store", path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line[:1] in "ac"] == [C[:8], A[:8]]
    newest, oldest = (line for line in lines if line[:1] in "ac")
    assert "What is new?" in newest
    assert "–" in newest  # no counts: absent, not zero
    assert "13 → 8" in oldest
    assert "Why is the sky blue?" in oldest
    assert "3.00 s" in oldest
    assert max(map(len, lines)) <= 100


def test_ls_shows_ids_that_are_long_enough(run, path, fill, make):
    fill(make.chat(A, 1), make.chat(B, 1))
    done = run("ls", "--store", path)
    assert A[:10] in done.stdout.split()
    assert B[:10] in done.stdout.split()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "error"], [A]),
        (["--text", "weather"], [A]),
        (["--model", "m:1b"], [C, A]),
        (["--session", "s1"], [C]),
        (["--experiment", "Other"], [C]),
        (["--since", "2001-01-01"], [C, A]),
        (["--since", "1m"], []),
        (["--limit", "1"], [C]),
    ],
)
def test_ls_filters(run, path, fill, make, options, found):
    fill(*make.agent(A))
    fill(make.chat(C, 1, start=60.0, session="s1"), experiment="Other")
    done = run("ls", "--store", path, "--json", *options)
    assert done.returncode == 0, done.stderr
    ids = [json.loads(line)["trace_id"] for line in done.stdout.splitlines()]
    assert list(dict.fromkeys(ids)) == found


@pytest.mark.parametrize("command", [["ls"], ["show", A]])
def test_json_is_the_record_lines_and_nothing_else(run, path, fill, make, command):
    spans = make.agent(A)
    fill(*spans)
    done = run(*command, "--store", path, "--json", text=False)
    assert done.stdout == b"".join(one.line() + b"\n" for one in spans)
    assert done.stderr == b""


def test_an_empty_store_says_how_to_make_a_trace(run, path, fill, make):
    done = run("ls", "--store", path)
    assert done.returncode == 0
    assert "ollamatrace demo" in done.stderr
    assert not path.exists()
    fill(make.chat(A, 1))
    done = run("ls", "--store", path, "--status", "ERROR")
    assert "matches" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("written", [A, f"tr-{A}", A[:10], A[:10].upper()])
def test_show_takes_an_id_or_its_beginning(run, path, fill, make, written):
    fill(*make.agent(A), make.chat(B, 1))
    done = run("show", written, "--store", path)
    assert done.returncode == 0, done.stderr
    assert f"trace {A}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", A[:9]], "several traces begin with"),
        (["show", "f00d"], "no trace f00d"),
        (["show", "xyz"], "32 hex digits"),
        (["ls", "--since", "soon"], "--since takes"),
        (["ls", "--status", "FINE"], "--status takes"),
    ],
)
def test_errors_are_one_line(run, path, fill, make, arguments, said):
    fill(make.chat(A, 1), make.chat(B, 1))
    done = run(*arguments, "--store", path)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_somebody_elses_file_is_an_error(run, tmp_path):
    other = tmp_path / "other.db"
    other.write_text("not a database, but long enough to be looked at by somebody" * 20)
    done = run("ls", "--store", other)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_where_the_store_is(run, environ, path, fill, make, tmp_path):
    fill(make.chat(A, 1))
    environ.setenv("OLLAMATRACE_SERVER", f"sqlite:///{path}")
    assert A[:8] in run("ls").stdout
    assert A[:8] not in run("ls", "--store", f"sqlite:///{tmp_path}/other.db").stdout
    environ.setenv("OLLAMATRACE_SERVER", "http://user:secret@example.test:5000")
    done = run("ls")
    assert done.returncode == 0
    assert "http://example.test:5000" in done.stderr
    assert "secret" not in done.stderr
    assert A[:8] in run("ls", "--store", path).stdout
    assert "example.test" not in run("ls", "--store", path).stderr
    environ.delenv("OLLAMATRACE_SERVER")
    environ.setenv("MLFLOW_TRACKING_URI", "http://example.test:5001")
    assert "example.test:5001" in run("ls").stderr


def test_a_terminal_without_utf8_gets_something_like_it(run, environ, path, fill, make):
    fill(*make.agent(A), make.chat(C, 1, asked="Grüße 日本"))
    environ.setenv("PYTHONIOENCODING", "ascii")
    done = run("show", A, "--store", path)
    assert done.returncode == 0, done.stderr
    assert "13 > 8" in done.stdout
    assert "|- Chat" in done.stdout
    assert run("show", C, "--store", path).stdout.count("Gr??e ??") == 1
    assert "日本" in run("show", C, "--store", path, "--json", text=False).stdout.decode()


def test_a_reader_that_goes_away_is_no_error(run, path, fill, make):
    fill(make.chat(A, 1, said="word " * 200_000))
    with subprocess.Popen(
        [sys.executable, "-m", "ollamatrace", "show", A, "--store", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    with subprocess.Popen(
        [sys.executable, "-m", "ollamatrace", "show", A, "--store", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""


def test_ctrl_c_leaves_quietly(run, path):
    with subprocess.Popen(
        [sys.executable, "-m", "ollamatrace", "demo", "--recorded", "--store", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert "playing back" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=30)
    # Both are 130 to a shell. CPython takes the second way where Ctrl-C came in an `exec` of
    # source, as a dataclass or a named tuple is made, though it was caught.
    assert process.returncode in {130, -signal.SIGINT}
    assert "Traceback" not in rest
    assert out == ""


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["demo"],
        ["ls"],
        ["show"],
        ["export"],
        ["forward"],
        ["doctor"],
        ["prune"],
        ["rm"],
    ],
)
def test_help_gives_examples_line_by_line(run, command):
    done = run(*command, "--help")
    assert done.returncode == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "Examples:" in lines
    assert sum(line.startswith("ollamatrace ") for line in lines) >= 3


def test_version(run):
    from importlib.metadata import version

    assert run("--version").stdout == f"ollamatrace {version('ollamatrace')}\n"


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_the_extra_it_names_it(package):
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = ['ls']\n"
        "from ollamatrace.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "pip install 'ollamatrace[cli]'" in line


def test_help_does_not_import_what_it_does_not_need():
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from ollamatrace.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('openai', 'ollama', 'xllamacpp', 'sqlite3', 'rich.table')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_full_disk_behind_the_output_is_one_line(run_to_full):
    done = run_to_full("ls")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def run_to_full(environ, fill, path, make):
    fill(make.chat(A, 1))

    def command(*arguments):
        with open("/dev/full", "w") as full:  # noqa: PTH123
            return subprocess.run(
                [sys.executable, "-m", "ollamatrace", *arguments, "--store", str(path)],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
            )

    return command
