import json
from dataclasses import replace

import pytest

from models.conditioning import ByMap
from models.strict_json import as_json
from worker.protocol import (
    Card,
    JobRequest,
    ProtocolError,
    WorkerReport,
    broker_url,
    conditioning_of,
    decode,
    encode,
    map_size,
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
    assert (REQUEST.row_bytes, REQUEST.canvas_bytes, REQUEST.total_pixels) == (60, 1680, 2800)
    assert (REQUEST.num_dims, replace(REQUEST, n=1).total_pixels) == (1680, 560)


def test_a_density_has_four_bytes_a_pixel_on_its_canvas_and_a_margin_is_drawn_too() -> None:
    density = JobRequest("sample", "tiny", "0" * 64, 10, 20, 1, 0, n=2, margin=3)
    assert (density.canvas_height, density.canvas_width, density.num_dims) == (13, 26, 200)
    assert (density.row_bytes, density.canvas_bytes, density.total_pixels) == (104, 1352, 676)


def test_what_is_shown_of_a_canvas_lies_inside_the_margin() -> None:
    request = JobRequest("sample", "tiny", "0" * 64, 2, 3, 3, 256, margin=1)
    row = bytes(range(15))
    assert request.shown_row(0, row) is None
    assert request.shown_row(2, row) == (1, bytes(range(3, 12)))
    assert replace(request, margin=0).shown_row(0, row[:9]) == (0, row[:9])


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
    assert conditioning_of(mask, is_chain=False) == kind
    assert conditioning_of(mask, is_chain=True) == "causal_only"


def test_each_bundle_has_its_queue() -> None:
    assert queue_of("tiny") == "bundle.tiny"


def test_a_canvas_of_a_chain_begins_with_the_coarse_image_which_is_not_shown() -> None:
    request = JobRequest("sample", "m", "0" * 64, 9, 7, 3, 256, n=2, coarse_level=2)
    assert (request.coarse_shape, request.hidden_rows, request.canvas_height) == ((3, 2), 3, 12)
    assert request.total_pixels == 2 * 12 * 7
    assert request.shown_row(2, b"\0" * request.row_bytes) is None
    assert request.shown_row(3, b"\1" * request.row_bytes) == (0, b"\1" * 21)
    scored = JobRequest("score", "m", "0" * 64, 9, 7, 3, 256, n=2, coarse_level=2)
    assert scored.total_pixels == 2 * 9 * 7


def test_the_start_of_a_markov_chain_and_each_sweep_count_as_a_canvas() -> None:
    request = JobRequest("completion", "m", "0" * 64, 9, 7, 3, 256, n=2, sweeps=5)
    assert request.total_pixels == 2 * 9 * 7 * (1 + 5)


@pytest.mark.parametrize("told", [ByMap("map", "image", 2, 3, 256), ByMap("map", "labels", 0, 1, 3, ("a", "b", "c"))])
def test_the_size_of_a_map_is_that_of_its_bundle(told: ByMap) -> None:
    assert map_size(as_json(told), 9, 7) == (*told.shape(9, 7), told.num_numbers)
