"""Who is served next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from liminal.engine.admission import OVERTAKES, AdmissionQueue
from liminal.engine.prefix import SPAN, span_keys
from liminal.engine.request import Priority


@dataclass(eq=False)
class Item:
    """Something that waits."""

    owner: str
    number: int = 0
    priority: Priority = Priority.INTERACTIVE


def always(_: Item) -> bool:
    """Everything fits."""
    return True


def test_owners_take_turns_by_what_they_were_served() -> None:
    queue: AdmissionQueue[Item] = AdmissionQueue()
    for number in range(6):
        queue.push(Item("many", number))
    queue.push(Item("few", 6))
    order: list[str] = []
    while item := queue.pop(always):
        order.append(item.owner)
        queue.charge(item.owner, 10)
    assert order.index("few") <= 1


def test_who_was_away_does_not_save_up() -> None:
    queue: AdmissionQueue[Item] = AdmissionQueue()
    queue.push(Item("busy"))
    queue.charge("busy", 1000)
    for number in range(4):
        queue.push(Item("back", number))
        queue.push(Item("busy", number))
    served: Counter[str] = Counter()
    for _ in range(4):
        item = queue.pop(always)
        assert item is not None
        served[item.owner] += 1
        queue.charge(item.owner, 10)
    assert served["busy"] >= 1


def test_interactive_goes_before_batch() -> None:
    queue: AdmissionQueue[Item] = AdmissionQueue()
    queue.push(Item("a", 1, Priority.BATCH))
    queue.push(Item("b", 2))
    assert [item.number for item in (queue.pop(always), queue.pop(always)) if item] == [2, 1]


def test_what_does_not_fit_is_overtaken_but_not_for_ever() -> None:
    queue: AdmissionQueue[Item] = AdmissionQueue()
    queue.push(Item("large"))
    overtaken = 0
    for number in range(2 * OVERTAKES):
        queue.push(Item("small", number))
        overtaken += queue.pop(lambda item: item.owner == "small") is not None
    assert overtaken == OVERTAKES
    item = queue.pop(always)
    assert item is not None and item.owner == "large"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Priority)), max_size=30))
def test_every_item_is_served_once_and_in_order_within_its_owner(given_: list[tuple[str, Priority]]) -> None:
    queue: AdmissionQueue[Item] = AdmissionQueue()
    items = [Item(owner, number, priority) for number, (owner, priority) in enumerate(given_)]
    for item in items:
        queue.push(item)
    served: list[Item] = []
    while item := queue.pop(always):
        served.append(item)
        queue.charge(item.owner, 1)
    assert Counter(map(id, served)) == Counter(map(id, items))
    for owner in "abc":
        for priority in Priority:
            numbers = [item.number for item in served if (item.owner, item.priority) == (owner, priority)]
            assert numbers == sorted(numbers)


def test_a_prefixs_name_tells_mixtures_and_tenants_apart_but_for_the_system_prompt() -> None:
    tokens = list(range(4 * SPAN))
    base = span_keys(tokens, (), "a", 2 * SPAN)
    other = span_keys(tokens, (), "b", 2 * SPAN)
    assert [x == y for x, y in zip(base, other, strict=True)] == [True, True, False, False]
    mixed = [
        span_keys(tokens, mixture, "a", 2 * SPAN) for mixture in ((("h", 1.0),), (("h", 0.5),), (("g", 1.0),))
    ]
    assert len({keys[0] for keys in (base, *mixed)}) == 4
    changed = [1, *tokens[1:]]
    assert not set(span_keys(changed, (), "a", 2 * SPAN)) & set(base), "a later span's name knows the earlier"
    assert len(span_keys(tokens[:-1], (), "a", 0)) == 3
