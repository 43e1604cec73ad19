"""A trace or a span as HTML that is whole in itself: for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ollamatrace.records.view import facts, figures
from ollamatrace.records.view.branches import Branch, branches
from ollamatrace.records.view.harmless import harmless
from ollamatrace.records.view.paper import Paper, badge, mono, short, unreadable, whole
from ollamatrace.records.view.summary import Summary
from ollamatrace.records.view.waterfall import Axis

if TYPE_CHECKING:
    from ollamatrace.records import SpanRecord, Trace
    from ollamatrace.records.view.turns import Row

_SPANS: Final = 200
"""Spans of a trace that are drawn."""
_MODELS: Final = 3
_INDENT_EM: Final = 1.2
_FIRST: Final = 8
_LAST: Final = 32
"""Rows of a span that are shown, where it has more: the question and the answer come last."""
_CLASSES: Final = {
    "system": "system",
    "user": "user",
    "input": "user",
    "assistant": "model",
    "image": "model",
    "thinking": "thought",
    "tool call": "tool",
    "tool": "tool",
    "error": "bad",
    "refusal": "bad",
    "cancelled": "warn",
    "warning": "warn",
}


@harmless(unreadable)
def trace_html(trace: Trace) -> str:
    """The head, the tree of spans in time, and in each what was said."""
    if not trace.spans:
        return whole(f"trace {mono(trace.trace_id)}: no spans")
    paper = Paper()
    root = trace.root
    found = branches(trace)
    axis = Axis.of(trace.spans)
    opened = _opened(found)
    drawn = found[:_SPANS]
    if opened is not None and all(branch is not opened for branch in drawn):
        drawn[-1] = opened
    # The open one first: there may be no room for all of them.
    told = sorted(drawn, key=lambda branch: branch is not opened)
    bodies = {id(branch): _body(branch.span, root, paper) for branch in told}
    rows = (_span(one, axis, bodies[id(one)], is_open=one is opened) for one in drawn)
    spans = f'<div class="spans">{"".join(rows)}</div>'
    return whole(_head(trace), spans, _rest(trace, len(found) - len(drawn), paper))


@harmless(unreadable)
def span_html(span: SpanRecord) -> str:
    """One span, and what was said in it."""
    body = _body(span, span, Paper())
    row = _span(Branch("", span, 0), Axis.of([span]), body, is_open=True)
    ids = f"span {mono(span.span_id)}, trace {mono(span.trace_id)}"
    return whole(f'<div class="spans">{row}</div>', f'<div class="quiet">{ids}</div>')


def _opened(found: list[Branch]) -> Branch | None:
    """The one that is read at once: the only one; of many, the first that failed by itself."""
    if len(found) == 1:
        return found[0]
    failed = [branch for branch in found if branch.span.status == "ERROR"]
    above = {branch.span.parent_id for branch in failed}
    return next((branch for branch in failed if branch.span.span_id not in above), None)


def _head(trace: Trace) -> str:
    root, models = trace.root, Summary.of(trace).models
    about = [*facts.head(trace), *models[:_MODELS]]
    if len(models) > _MODELS:
        about.append(figures.counted(len(models) - _MODELS, "more model"))
    if not root.is_top:
        about.append("what is above it is not here (yet)")
    belongs = {"session": root.session, "user": root.user}
    about += [f"{label} {value}" for label, value in belongs.items() if value]
    return (
        f'<div class="head"><b>{short(root.name)}</b> {badge(root.status)}'
        f'<div class="quiet">{" · ".join(map(short, about))}</div>'
        f'<div class="quiet">trace {mono(trace.trace_id)}</div></div>'
    )


def _span(branch: Branch, axis: Axis, body: str, *, is_open: bool) -> str:
    span = branch.span
    indent = _INDENT_EM * branch.depth
    ended = "" if span.status == "OK" else badge(span.status)
    model = f'<span class="quiet">{short(span.model)}</span>' if span.model else ""
    usage = span.usage
    tokens = figures.tokens(usage.input_tokens, usage.output_tokens) if usage else ""
    return (
        f'<details class="span"{" open" if is_open else ""}><summary>'
        f'<span class="name" style="padding-left:{indent:.1f}em">'
        f"<b>{short(span.name)}</b> {ended} {model}</span> {axis.bar(span)} "
        f'<span class="number">{figures.duration(span.end_ns - span.start_ns)}</span> '
        f'<span class="number quiet">{tokens}</span></summary>'
        f'<div class="body" style="padding-left:{indent + _INDENT_EM:.1f}em">{body}</div></details>'
    )


def _body(span: SpanRecord, root: SpanRecord, paper: Paper) -> str:
    if not paper.takes(span):
        return '<span class="cut">…</span>'
    rows = list(facts.rows(span, root))
    said = [row for row in rows if row.tone != "aside"]
    aside = [row for row in rows if row.tone == "aside"]
    title = f'<div class="quiet">{" · ".join(map(short, facts.title(span)))}</div>'
    more = "".join(_rows(aside, paper))
    if more:
        names = ", ".join(dict.fromkeys(row.label for row in aside))
        more = f'<details class="more"><summary>{short(names)}</summary>{more}</details>'
    return title + "".join(_rows(said, paper)) + more


def _rows(rows: list[Row], paper: Paper) -> list[str]:
    left = len(rows) - _FIRST - _LAST
    if left <= 0:
        return [_row(row, paper) for row in rows]
    paper.is_cut = True
    return [
        *(_row(row, paper) for row in rows[:_FIRST]),
        f'<div class="cut">… {figures.count(left)} more …</div>',
        *(_row(row, paper) for row in rows[-_LAST:]),
    ]


def _row(row: Row, paper: Paper) -> str:
    kind = _CLASSES.get(row.label, "plain") if row.tone == "said" else "plain"
    text = paper.text(row.text.strip("\n")) or '<span class="cut">(empty)</span>'
    pictures = "".join(map(paper.picture, row.pictures))
    return (
        f'<div class="row {kind}"><div class="label">{short(row.label)}</div> '
        f'<div class="text">{text}{pictures}</div></div>'
    )


def _rest(trace: Trace, left: int, paper: Paper) -> str:
    """What is not here, and what shows it."""
    if left <= 0 and not paper.is_cut:
        return ""
    more = f"… {figures.counted(left, 'more span')}" if left > 0 else "The whole of it"
    command = mono(f"ollamatrace show {trace.trace_id}")
    return f'<div class="rest">{more}: {command}</div>'
