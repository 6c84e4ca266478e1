"""Request headers as the API reads them."""

import pytest

from app.errors import ApiError, Code
from app.headers import event_id, idempotency_key, matches, wait_preference


@pytest.mark.parametrize(
    ("prefer", "wait_s"),
    [
        (None, None),
        ("", None),
        ("respond-async", None),
        ("wait", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=²", None),
        ("wait=0", 0),
        ("wait=5", 5),
        ("Wait = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=5; x=1", 5),
        ("wait=5, wait=7", 5),
        ("wait=99999999999999999999", 60),
    ],
)
def test_prefer_wait_is_read_or_ignored_but_never_refused(prefer: str | None, wait_s: float | None) -> None:
    assert wait_preference(prefer, max_wait_s=60) == wait_s


@pytest.mark.parametrize("key", ["a", "x" * 255, "8e03978e-40d5-43e8-bc93-6894a57f9324"])
def test_a_good_idempotency_key_is_itself(key: str) -> None:
    assert idempotency_key(key) == key
    assert idempotency_key(None) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_bad_idempotency_key_is_refused(key: str) -> None:
    with pytest.raises(ApiError) as caught:
        idempotency_key(key)
    assert (caught.value.code, caught.value.param) == (Code.INVALID_HEADER, "Idempotency-Key")
    assert "255" in caught.value.message


@pytest.mark.parametrize("value", ["0", "1700000000000-0", "1700000000000", f"{2**64 - 1}-0"])
def test_an_event_id_is_as_the_events_carry_it(value: str) -> None:
    assert event_id(value, "after") == value


@pytest.mark.parametrize("value", ["", "x", "-1", "1-", "$", "1-2-3", "1" * 30, f"{2**64}-0", f"0-{2**64}", "\u0661-0"])
def test_anything_else_is_no_event_id(value: str) -> None:
    with pytest.raises(ApiError):
        event_id(value, "after")


@pytest.mark.parametrize(
    ("if_none_match", "held"),
    [(None, False), ('"a"', True), ('"b"', False), ('"b", W/"a"', True), ("*", True), ("a", False)],
)
def test_if_none_match_compares_weakly(if_none_match: str | None, held: bool) -> None:
    assert matches(if_none_match, '"a"') == held
