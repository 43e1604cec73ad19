"""Several destinations at once: one that is in trouble holds up no other."""

from __future__ import annotations

import pytest

from ollamatrace import Delivery, Tracer
from tests.faults.kept import kept_ids
from tests.faults.load import Load, Watch, settled
from tests.pipeline.tracers import balanced, until
from tests.servers.processes import poll


@pytest.mark.parametrize("spans", [500, pytest.param(20_000, marks=pytest.mark.faults)])
def test_the_good_ones_are_complete_at_once(spans, make_remote, tmp_path):
    hung, down, good = make_remote(), make_remote(), make_remote()
    hung.start(kind="hang")
    good.start()
    store = tmp_path / "kept.db"
    urls = [hung.url, down.url, good.url, f"sqlite:///{store}"]
    delivery = Delivery(mode="throughput", timeout_s=0.5)
    with Tracer(urls, experiment="Faults", delivery=delivery) as tracer, Watch(tracer):
        load = Load(tracer, spans, 10).start()
        load.join()

        def position(url):
            return balanced(tracer.stats()).destinations[url]

        for url in urls[2:]:
            poll(
                lambda url=url: position(url).delivered == spans,
                what=f"{url} has not got all",
                every_s=0.01,
            )
        for url in urls[:2]:
            assert (position(url).delivered, position(url).dropped) == (0, 0)
            until(lambda url=url: position(url).spooled == spans)
        assert good.journal()[0].keys() == load.made == kept_ids(store)
        assert tracer.stats().delivered == 0  # to all
        hung.fault()
        settled(tracer, hung.url)
        assert position(down.url).delivered == 0
        down.start()
        report = settled(tracer)
        assert (report.delivered, report.dropped) == (spans, 0)
    for server in (hung, down, good):
        stored, _, wrong = server.journal()
        assert not wrong
        assert stored.keys() == load.made
