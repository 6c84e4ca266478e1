import json
from dataclasses import replace

import pytest

from worker.protocol import (
    Card,
    JobRequest,
    ProtocolError,
    WorkerReport,
    broker_url,
    conditioning_of,
    decode,
    encode,
    queue_of,
)

REQUEST = JobRequest("sample", "tiny", "0" * 64, 28, 20, 3, 256, n=5, seed=2**64 - 1, condition={"class": 3})


def test_a_request_survives_its_json_form() -> None:
    assert decode(JobRequest, encode(REQUEST)) == REQUEST


def test_a_report_survives_its_json_form_with_its_cards() -> None:
    cards = (Card("a", "1" * 64, "admitted", height=28), Card("b", "", "refused", reason="no weights"))
    report = WorkerReport("host-1", 1.5, 2.5, "0.1.0", cards)
    assert decode(WorkerReport, encode(report)) == report


@pytest.mark.parametrize("change", [{"protocol": 2}, {"surprise": 1}])
def test_another_version_or_an_unknown_field_is_not_understood(change: dict[str, int]) -> None:
    with pytest.raises(ProtocolError):
        decode(JobRequest, json.dumps(json.loads(encode(REQUEST)) | change))


def test_sizes_follow_from_the_shape() -> None:
    assert (REQUEST.row_bytes, REQUEST.image_bytes, REQUEST.total_pixels) == (60, 1680, 2800)
    assert replace(REQUEST, n=1).total_pixels == 560


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("unix:///run/v.sock?db=3", "redis+socket:///run/v.sock?virtual_host=3"),
        ("unix:///run/v.sock", "redis+socket:///run/v.sock?virtual_host=0"),
        ("redis://redis:6379/1", "redis://redis:6379/1"),
    ],
)
def test_the_broker_is_where_the_store_is(url: str, broker: str) -> None:
    assert broker_url(url) == broker


@pytest.mark.parametrize("url", ["", "redis://", "unix://", "http://localhost", "amqp://localhost"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a Redis URL"):
        broker_url(url)


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        (b"\1\1\0\0", "exact"),
        (b"\0\0", "exact"),
        (b"\1\1", "exact"),
        (b"\1\0\1\0", "causal_only"),
        (b"\0\1", "causal_only"),
    ],
)
def test_a_hole_at_the_end_of_the_raster_is_conditioned_exactly(mask: bytes, kind: str) -> None:
    assert conditioning_of(mask) == kind


def test_each_bundle_has_its_queue() -> None:
    assert queue_of("tiny") == "bundle.tiny"
