"""Who is served next: interactive before batch, fair between owners.

Fairness is by tokens of service, as in the Virtual Token Counter (Sheng et al., OSDI 2024,
arXiv:2401.00588): the owner who has received least goes first, and an owner who was away starts
level with the least served of those waiting, so nobody saves up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from liminal.engine.request import Priority


class Waiting(Protocol):
    """What the queue needs to know of a thing that waits."""

    @property
    def owner(self) -> str:
        """On whose account it is served."""
        ...

    @property
    def priority(self) -> Priority:
        """Its class."""
        ...


OVERTAKES = 64
"""Times that a waiting item may be passed over because it does not fit yet."""

W = TypeVar("W", bound=Waiting)


class AdmissionQueue(Generic[W]):
    """Waiting sequences; used by the decoding thread only."""

    def __init__(self) -> None:
        """Empty."""
        self._lanes: dict[Priority, dict[str, deque[W]]] = {priority: {} for priority in Priority}
        self._served: dict[str, float] = {}
        self._overtaken: dict[int, int] = {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(queue) for lane in self._lanes.values() for queue in lane.values())

    def waiting(self, priority: Priority) -> bool:
        """Whether anything of that class waits."""
        return bool(self._lanes[priority])

    def push(self, item: W, front: bool = False) -> None:
        """Let an item wait, behind its owner's others or (put back) before them."""
        lane = self._lanes[item.priority]
        if not self._waits(item.owner):
            level = min((self._served[owner] for owner in self._owners()), default=0.0)
            self._served[item.owner] = max(self._served.get(item.owner, 0.0), level)
        queue = lane.setdefault(item.owner, deque())
        if front:
            queue.appendleft(item)
        else:
            queue.append(item)

    def pop(self, fits: Callable[[W], bool]) -> W | None:
        """The first that fits: by class, then by the owner served least, then by order of arrival.

        Others may overtake an item that does not fit yet, OVERTAKES times; then everyone of its
        class and below waits for it.
        """
        for priority in Priority:
            lane = self._lanes[priority]
            for owner in sorted(lane, key=lambda name: self._served[name]):
                queue = lane[owner]
                if not fits(queue[0]):
                    times = self._overtaken.get(id(queue[0]), 0) + 1
                    self._overtaken[id(queue[0])] = times
                    if times > OVERTAKES:
                        return None
                    continue
                item = queue.popleft()
                self._overtaken.pop(id(item), None)
                if not queue:
                    del lane[owner]
                return item
        return None

    def charge(self, owner: str, tokens: float) -> None:
        """Note service given to an owner."""
        self._served[owner] = self._served.get(owner, 0.0) + tokens
        if len(self._served) > 4096:
            waiting = self._owners()
            self._served = {name: value for name, value in self._served.items() if name in waiting}

    def discard(self, unwanted: Callable[[W], bool]) -> list[W]:
        """Remove and return the waiting items that are not wanted any more."""
        dropped: list[W] = []
        for lane in self._lanes.values():
            for owner in list(lane):
                kept: deque[W] = deque()
                for item in lane[owner]:
                    (dropped if unwanted(item) else kept).append(item)
                for item in dropped:
                    self._overtaken.pop(id(item), None)
                if kept:
                    lane[owner] = kept
                else:
                    del lane[owner]
        return dropped

    def _owners(self) -> set[str]:
        return {owner for lane in self._lanes.values() for owner in lane}

    def _waits(self, owner: str) -> bool:
        return owner in self._owners()
