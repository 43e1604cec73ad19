from __future__ import annotations

import base64
import json
import logging
import threading

import pytest

from ollamatrace.destinations.mlflow import infos
from ollamatrace.pipeline import Denied, Refused, Unavailable
from ollamatrace.records import Content, TraceUpdate
from tests.destinations.mlflow.samples import TRACE, call, no_pause, span

INFO = "/api/3.0/mlflow/traces"
SPANS = "/v1/traces"
EXPERIMENTS = "/api/2.0/mlflow/experiments"


def posted_infos(mlflow):
    return [json.loads(one["body"]) for one in mlflow.calls(INFO) if one["path"] == INFO]


def test_spans_come_before_the_info_and_infos_are_of_roots_only(mlflow, open_channel):
    open_channel().send([span(2, parent_id="0" * 15 + "1"), span(1)], no_pause)
    paths = [one["path"] for one in mlflow.requests]
    assert paths.index(SPANS) < paths.index(INFO)
    assert len(posted_infos(mlflow)) == 1
    assert len(mlflow.spans[f"tr-{TRACE}"]) == 2
    info = mlflow.infos[f"tr-{TRACE}"]
    assert info["trace_metadata"]["mlflow.source.type"] == "LOCAL"
    assert info["trace_location"]["mlflow_experiment"]["experiment_id"] == "1"


def test_spans_carry_the_experiment_and_are_not_compressed(mlflow, open_channel):
    open_channel().send([span()], no_pause)
    headers = mlflow.calls(SPANS)[0]["headers"]
    assert headers["x-mlflow-experiment-id"] == "1"
    assert headers["content-type"] == "application/json"
    assert "content-encoding" not in headers


def test_throughput_sends_no_infos_but_updates(mlflow, open_channel):
    channel = open_channel(mode="throughput")
    channel.send([span()], no_pause)
    assert not posted_infos(mlflow)
    channel.send([TraceUpdate(trace_id=TRACE, tags={"a": "b"})], no_pause)
    assert mlflow.infos[f"tr-{TRACE}"]["tags"]["a"] == "b"


def test_sending_again_changes_nothing(mlflow, open_channel):
    channel = open_channel()
    records = [call(), TraceUpdate(trace_id=TRACE, name="new", metadata={"k": "v"})]
    channel.send(records, no_pause)
    before = json.dumps([mlflow.infos, mlflow.spans], sort_keys=True)
    channel.send(records, no_pause)
    assert json.dumps([mlflow.infos, mlflow.spans], sort_keys=True) == before


def test_the_experiment_is_asked_for_once(mlflow, open_channel):
    channel = open_channel()
    for number in range(3):
        channel.send([span(number + 1)], no_pause)
    assert len(mlflow.calls("/version")) == 1
    assert len(mlflow.calls("/api/2.0/mlflow/experiments/create")) == 1
    assert len(mlflow.calls("/api/2.0/mlflow/experiments/get")) == 2


def test_an_experiment_that_was_made_anew_is_found_again(mlflow, open_channel):
    channel = open_channel()
    channel.send([span(1)], no_pause)
    mlflow.experiments["7"] = {**mlflow.experiments.pop("1"), "experiment_id": "7"}
    channel.send([span(2)], no_pause)
    assert mlflow.calls(SPANS)[-1]["headers"]["x-mlflow-experiment-id"] == "7"


def test_a_route_that_stays_missing_is_denied(mlflow, open_channel):
    channel = open_channel()
    gone = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no experiment"})
    mlflow.answer(SPANS, gone, gone)
    with pytest.raises(Denied, match="no experiment"):
        channel.send([span()], no_pause)
    assert len(mlflow.calls(SPANS)) == 1


def test_many_infos_go_out_by_several_threads(mlflow, open_channel, monkeypatch):
    threads = set()
    plain = infos.Infos._posted
    together = threading.Barrier(4, timeout=20)

    def posted(self, info):
        threads.add(threading.current_thread().name)
        together.wait()
        return plain(self, info)

    monkeypatch.setattr(infos.Infos, "_posted", posted)
    open_channel().send([span(n, trace_id=f"{n:032x}") for n in range(1, 9)], no_pause)
    assert len(mlflow.infos) == 8
    assert len(threads) >= 2
    assert not [one for one in threading.enumerate() if one.name == "ollamatrace-info"]


def test_without_threads_the_calling_one_posts(mlflow, open_channel, monkeypatch):
    def no_thread(self):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    channel = open_channel()
    channel.send([span()], no_pause)
    with monkeypatch.context() as patch:
        patch.setattr(infos.threading.Thread, "start", no_thread)
        channel._infos.post([{"trace_id": f"tr-{n}"} for n in range(8)], no_pause)
    assert len(posted_infos(mlflow)) == 9


def test_a_failure_in_a_thread_is_raised(mlflow, open_channel):
    mlflow.answer(INFO, *[(503, "busy")] * 8)
    with pytest.raises(Unavailable, match="503"):
        open_channel().send([span(n, trace_id=f"{n:032x}") for n in range(1, 9)], no_pause)


def test_after_a_failure_infos_go_on_where_they_were(mlflow, open_channel):
    """A server that is up for moments only would never have them all."""
    channel = open_channel()
    spans = [span(n, trace_id=f"{n:032x}") for n in range(1, 4)]
    mlflow.answer(INFO, None, None, (503, "busy"))
    with pytest.raises(Unavailable, match="503"):
        channel.send(spans, no_pause)
    channel.send(spans, no_pause)
    assert len(mlflow.infos) == 3
    assert len(posted_infos(mlflow)) == 4
    channel.send(spans, no_pause)  # all had arrived: whoever sends them again means it
    assert len(posted_infos(mlflow)) == 7


@pytest.mark.parametrize("path", [INFO, SPANS, EXPERIMENTS])
def test_what_answers_in_place_of_a_known_server_is_waited_for(path, mlflow, open_channel):
    """The page of a proxy, while the server behind it is away."""
    channel = open_channel()
    channel.send([span(1)], no_pause)
    channel._server.forget()
    page = (404, "<html>") if path == SPANS else (200, "<html>")
    mlflow.answer(path, page)
    with pytest.raises(Unavailable):
        channel.send([span(2)], no_pause)
    channel.send([span(2)], no_pause)


def test_a_stranger_at_first_contact_is_denied(mlflow, open_channel):
    mlflow.answer(SPANS, (404, "<html>"))
    with pytest.raises(Denied, match="check the address"):
        open_channel().send([span(1)], no_pause)


def test_a_refused_info_costs_a_warning_and_no_span(mlflow, open_channel, caplog):
    mlflow.answer(INFO, (400, {"error_code": "BAD_REQUEST", "message": "no such session"}))
    channel = open_channel()
    channel.send([span()], no_pause)
    assert "no such session" in caplog.text
    assert mlflow.spans
    channel.send([span()], no_pause)  # and it is seen whether the experiment is still there
    assert len(mlflow.calls("/version")) == 2


def test_an_info_over_which_the_server_fails_each_time_does_not_block(mlflow, open_channel, caplog):
    mlflow.answer(INFO, *[(500, {"error_code": "INTERNAL_ERROR", "message": "odd"})] * 3)
    channel = open_channel()
    for _ in range(2):
        with pytest.raises(Unavailable):
            channel.send([span()], no_pause)
    channel.send([span()], no_pause)
    assert "odd" in caplog.text


def test_what_the_server_lost_of_an_info_is_told(mlflow, open_channel, caplog):
    held = {"trace_metadata": {"other": "x"}, "request_time": "x", "state": "OK"}
    mlflow.answer(INFO, (200, {"trace": {"trace_info": held}}))
    open_channel().send([span(metadata={"mine": "1"})], no_pause)
    assert "request_preview" in caplog.text
    assert "mine" in caplog.text


def test_an_update_of_an_unknown_trace_is_told(mlflow, open_channel, caplog):
    open_channel().send([TraceUpdate(trace_id=TRACE, name="x")], no_pause)
    assert "it is not there" in caplog.text
    assert not posted_infos(mlflow)


def test_an_update_while_the_root_runs_changes_tags_only(mlflow, open_channel, caplog):
    channel = open_channel()
    channel.send([span(2, parent_id="0" * 15 + "1")], no_pause)
    channel.send([TraceUpdate(trace_id=TRACE, tags={"a": "b"}, session="s")], no_pause)
    assert mlflow.infos[f"tr-{TRACE}"]["tags"]["a"] == "b"
    assert not posted_infos(mlflow)
    assert "has not ended" in caplog.text


IMAGE = base64.b64encode(b"\x89PNG" + bytes(90)).decode()


def picture():
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}
    messages = [{"role": "user", "content": [part]}]
    return span(input_content=Content({"messages": messages}), provider="openai")


def test_images_are_uploaded_before_the_spans(mlflow, open_channel):
    open_channel().send([picture()], no_pause)
    (path,) = mlflow.files
    assert path.startswith(f"1/traces/tr-{TRACE}/artifacts/attachments/")
    assert mlflow.files[path] == base64.b64decode(IMAGE)
    paths = [one["path"] for one in mlflow.requests]
    assert paths.index(SPANS) > paths.index("/api/2.0/mlflow-artifacts/artifacts/" + path)
    body = mlflow.calls(SPANS)[0]["body"]
    assert IMAGE.encode() not in body
    assert path.rpartition("/")[2].encode() in body


def test_images_stay_where_the_server_takes_no_files(mlflow, open_channel, caplog):
    mlflow.answer("/api/2.0/mlflow-artifacts", (403, {"message": "no"}))
    open_channel().send([picture()], no_pause)
    assert IMAGE.encode() in mlflow.calls(SPANS)[0]["body"]
    assert "images stay in the spans" in caplog.text


def test_images_stay_where_files_go_past_the_server(mlflow, open_channel):
    mlflow.artifacts = "s3://bucket/{}"
    open_channel().send([picture()], no_pause)
    assert IMAGE.encode() in mlflow.calls(SPANS)[0]["body"]
    assert not mlflow.files


def test_a_refused_batch_is_refused(mlflow, open_channel):
    mlflow.answer(SPANS, (422, {"detail": "Cannot convert"}))
    with pytest.raises(Refused, match="Cannot convert"):
        open_channel().send([span()], no_pause)
    assert not posted_infos(mlflow)


def test_spans_that_could_not_be_stored_are_sent_once_more(mlflow, open_channel):
    failed = (422, {"detail": "Failed to log OpenTelemetry spans"})
    mlflow.answer(SPANS, failed)
    open_channel().send([span()], no_pause)
    assert mlflow.spans
    mlflow.answer(SPANS, failed, failed)
    with pytest.raises(Refused):
        open_channel().send([span()], no_pause)


def test_nothing_is_printed_by_the_http_library(mlflow, open_channel, caplog):
    caplog.set_level(logging.INFO)
    open_channel().send([span()], no_pause)
    assert not caplog.records


def test_after_close_and_abandon_it_connects_again(mlflow, open_channel):
    channel = open_channel()
    channel.send([span(1)], no_pause)
    channel.close()
    channel.send([span(2)], no_pause)
    first, second = mlflow.calls(SPANS)
    assert first["connection"] != second["connection"]
    transport = channel._api._exchange._transport
    channel.abandon()
    channel.send([span(3)], no_pause)
    assert mlflow.calls(SPANS)[2]["connection"] != second["connection"]
    transport.close()


def test_the_page_is_known_without_the_experiment_and_with_it(mlflow, open_channel):
    channel = open_channel()
    assert channel.page(TRACE) == (
        f"{mlflow.url}/static-files/lib/notebook-trace-renderer/index.html?trace_id=tr-{TRACE}"
    )
    channel.send([span()], no_pause)
    assert channel.page(TRACE) == f"{mlflow.url}/#/experiments/1/traces/tr-{TRACE}"
    of_workspace = open_channel(workspace="a b")
    assert of_workspace.page(TRACE).endswith(f"trace_id=tr-{TRACE}&workspace=a%20b")


def test_the_channel_says_where_things_go(mlflow, open_channel):
    address = f"http://user:secret@127.0.0.1:{mlflow.port}/"
    assert open_channel(address).url == mlflow.url
    assert open_channel().experiment == "Tests"
    assert open_channel(experiment_id="5").experiment == "#5"
