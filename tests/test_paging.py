import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.paging import Cursor, Page, page_of, page_size

PURCHASES = Cursor("purchases", (datetime, UUID))
MIXED = Cursor("mixed", (int, str, datetime, UUID))
NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
ID = UUID("01936f5e-0000-7000-8000-000000000001")


def sealed(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def test_a_cursor_gives_its_sort_key_back():
    text = PURCHASES.encode((NOON, ID))

    assert PURCHASES.decode(text) == (NOON, ID)
    assert "=" not in text


def test_a_cursor_keeps_the_instant_whatever_the_time_zone():
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))

    assert PURCHASES.encode((berlin, ID)) == PURCHASES.encode((NOON, ID))


@given(
    st.tuples(
        st.integers(-(2**63) + 1, 2**63 - 1),
        st.text(max_size=20),
        st.datetimes(timezones=st.just(UTC)),
        st.uuids(),
    )
)
def test_every_key_comes_back_equal(key: tuple[int, str, datetime, UUID]):
    if len(MIXED.encode(key)) <= 500:
        assert MIXED.decode(MIXED.encode(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="too short for base64"),
        pytest.param("ü", id="not ASCII"),
        pytest.param("!!!!", id="not base64"),
        pytest.param("AAAA", id="not JSON"),
        pytest.param("_w", id="not UTF-8"),
        pytest.param(sealed("purchases"), id="not a list"),
        pytest.param(sealed([]), id="an empty list"),
        pytest.param(sealed(["members", NOON.isoformat(), str(ID)]), id="of another list"),
        pytest.param(sealed(["purchases", NOON.isoformat()]), id="a part is missing"),
        pytest.param(sealed(["purchases", 5, str(ID)]), id="a number for a date"),
        pytest.param(sealed(["purchases", "2026-11-22T12:00:00", str(ID)]), id="a naive date"),
        pytest.param(sealed(["purchases", "yesterday", str(ID)]), id="not a date"),
        pytest.param(sealed(["purchases", NOON.isoformat(), "7"]), id="not a UUID"),
        pytest.param("A" * 501, id="too long"),
        pytest.param(sealed(["purchases"] + ["["] * 90), id="too many parts"),
    ],
)
def test_a_malformed_cursor_is_refused_by_the_name_of_its_argument(text: str):
    with pytest.raises(InvalidInputError) as refused:
        PURCHASES.decode(text, argument="after")

    assert refused.value.field == "after"
    assert refused.value.message == (
        "after is not a cursor of this list; take it from pageInfo.endCursor or from an edge."
    )


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_a_whole_number_is_nothing_else(value: object):
    with pytest.raises(InvalidInputError):
        Cursor("counts", (int,)).decode(sealed(["counts", value]))


def test_the_row_too_many_tells_that_there_are_more():
    assert page_of([1, 2, 3], size=2, after=None) == Page([1, 2], has_next=True, has_previous=False)
    assert page_of([1, 2], size=2, after="cursor") == Page(
        [1, 2], has_next=False, has_previous=True
    )


@pytest.mark.parametrize(("first", "size"), [(None, 20), (1, 1), (100, 100)])
def test_a_page_has_1_to_100_rows(first: int | None, size: int):
    assert page_size(first) == size


@pytest.mark.parametrize("first", [-1, 0, 101])
def test_a_page_of_another_size_is_refused(first: int):
    with pytest.raises(InvalidInputError, match=f"between 1 and 100, not {first}") as refused:
        page_size(first)

    assert refused.value.field == "first"
