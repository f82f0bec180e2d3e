"""Reading raw: partitions merged in order of time, places on the log found."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liminal.log import Position
from liminal.log.errors import LogError
from liminal.log.read import _take_ready, parse_since


class Record(NamedTuple):
    """What the order of records hangs on."""

    timestamp: int
    partition: int
    offset: int


PARTITIONS = st.lists(st.lists(st.integers(0, 20), max_size=8).map(sorted), min_size=1, max_size=4)


@given(times=PARTITIONS, data=st.data())
def test_partitions_that_arrive_in_any_pieces_come_out_in_order_of_time(
    times: list[list[int]], data: st.DataObject
) -> None:
    records = [[Record(time, p, offset) for offset, time in enumerate(ts)] for p, ts in enumerate(times)]
    waiting: dict[int, deque[Record]] = {p: deque() for p in range(len(records))}
    arrived = dict.fromkeys(waiting, 0)
    read: list[Record] = []
    while any(arrived[p] < len(records[p]) for p in waiting):
        partition = data.draw(st.sampled_from([p for p in waiting if arrived[p] < len(records[p])]))
        end = data.draw(st.integers(arrived[partition] + 1, len(records[partition])))
        waiting[partition].extend(records[partition][arrived[partition] : end])
        arrived[partition] = end
        read += _take_ready(waiting, {p for p in waiting if arrived[p] == len(records[p])})
    assert read == sorted(record for partition in records for record in partition)


def test_a_place_on_the_log_is_a_position_a_time_or_how_long_ago() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert parse_since("2:17") == Position(2, 17)
    assert parse_since("2026-11-23T10:00:00Z") == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert parse_since("2026-11-23T10:00:00") == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert parse_since("90s", now) == now - timedelta(seconds=90)
    assert parse_since("3d", now) == now - timedelta(days=3)


@pytest.mark.parametrize("text", ["", "10", "10 m", "10w", "0:", "noon"])
def test_what_is_no_place_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(LogError, match="give a position"):
        parse_since(text)
