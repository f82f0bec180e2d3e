"""The adapters that a worker knows, and the rank rows that its batches compute with.

Registered adapters live on disk and, within a bound, in host memory. The bank on the device has a
fixed number of rank rows in pages of PAGE; an adapter takes ⌈rank / PAGE⌉ pages wherever they are
free. Loading writes pages with one compiled program; gates are data. Nothing ever recompiles.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.errors import AdapterInvalid, AdapterNotFound, BankFull
from liminal.engine.params import PAGE, TARGETS, Lora, LoraPair
from liminal.engine.peft import Adapter, check_adapter, load_adapter
from liminal.engine.zeros import unwritten_zeros

Pages = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Per target, a [layers, PAGE, in] and b [layers, PAGE, out]: one page of every layer, in host memory."""


@dataclass
class Registered:
    """An adapter by its content: where it can be read from, and itself while host memory holds it."""

    content_hash: str
    rows: int
    nbytes: int
    folder: Path | None
    adapter: Adapter | None
    pinned: bool = False
    holds: int = 0


class AdapterRegistry:
    """Names and contents of adapters. A name points to the newest content registered under it.

    Thread-safe. At most ``capacity`` bytes of adapters that can be read again from their folder stay
    in host memory, least recently used out first; pinned ones and those without a folder always stay.
    """

    def __init__(self, config: ModelConfig, capacity: int) -> None:
        """Adapters are checked against ``config`` when they are registered."""
        self.config = config
        self.capacity = capacity
        self._names: dict[str, str] = {}
        self._contents: OrderedDict[str, Registered] = OrderedDict()
        self._lock = threading.RLock()

    def register(self, name: str, source: str | Path | Adapter, pinned: bool = False) -> str:
        """Make an adapter known under a name and return its content hash.

        Registering other content under a known name makes a new adapter: running requests keep the
        old one. Raises AdapterNotFound, AdapterUnsupported or AdapterInvalid.
        """
        folder = None if isinstance(source, Adapter) else Path(source)
        if isinstance(source, Adapter):
            check_adapter(source, self.config)
            adapter = source
        else:
            adapter = load_adapter(source, self.config)
        with self._lock:
            known = self._contents.get(adapter.content_hash)
            if known is None:
                known = Registered(
                    adapter.content_hash, adapter.rows, adapter.nbytes, folder, adapter, pinned
                )
                self._contents[known.content_hash] = known
            known.folder, known.pinned = folder or known.folder, pinned or known.pinned
            previous = self._names.get(name)
            self._names[name] = known.content_hash
            if previous is not None and previous != known.content_hash:
                self._drop_unnamed(previous)
            self._trim()
            return known.content_hash

    def remove(self, name: str) -> None:
        """Forget a name, and its content if no other name points to it."""
        with self._lock:
            content = self._names.pop(name, None)
            if content is None:
                raise AdapterNotFound(f"no adapter is registered as {name!r}", name=name)
            self._drop_unnamed(content)

    def pin(self, name: str, pinned: bool = True) -> None:
        """Keep an adapter in host memory and in the bank, or allow it to leave again."""
        with self._lock:
            self._contents[self.resolve(name)].pinned = pinned

    def names(self) -> dict[str, str]:
        """Every name with its content hash."""
        with self._lock:
            return dict(self._names)

    def resolve(self, name: str) -> str:
        """The content hash behind a name, which may also be a content hash itself."""
        with self._lock:
            content = self._names.get(name, name)
            if content not in self._contents:
                raise AdapterNotFound(f"no adapter is registered as {name!r}", name=name)
            return content

    def info(self, content_hash: str) -> Registered:
        """What is known of a content."""
        with self._lock:
            known = self._contents.get(content_hash)
        if known is None:
            raise AdapterNotFound(f"the adapter {content_hash[:12]} was removed", content_hash=content_hash)
        return known

    def adapter(self, content_hash: str) -> Adapter:
        """The adapter itself, read from its folder if memory does not hold it.

        Raises AdapterInvalid if the folder's content changed since it was registered.
        """
        known = self.info(content_hash)
        adapter = known.adapter
        if adapter is None:
            if known.folder is None:
                raise AdapterNotFound(
                    f"the adapter {content_hash[:12]} has no folder", content_hash=content_hash
                )
            adapter = load_adapter(known.folder, self.config)
            if adapter.content_hash != content_hash:
                raise AdapterInvalid(
                    f"{known.folder} changed since it was registered", content_hash=content_hash
                )
        with self._lock:
            known.adapter = adapter
            if content_hash in self._contents:
                self._contents.move_to_end(content_hash)
            self._trim()
        return adapter

    def hold(self, name: str) -> str:
        """As resolve, and the content stays known until let_go, whatever happens to the name."""
        with self._lock:
            content = self.resolve(name)
            self._contents[content].holds += 1
            return content

    def let_go(self, content: str) -> None:
        """The end of a hold."""
        with self._lock:
            self._contents[content].holds -= 1
            self._drop_unnamed(content)

    def _drop_unnamed(self, content: str) -> None:
        if content not in self._names.values() and self._contents[content].holds == 0:
            del self._contents[content]

    def _trim(self) -> None:
        held = sum(item.nbytes for item in self._contents.values() if item.adapter is not None)
        for item in self._contents.values():
            if held <= self.capacity:
                return
            if item.adapter is not None and item.folder is not None and not item.pinned:
                item.adapter = None
                held -= item.nbytes


@dataclass
class Resident:
    """An adapter in the bank: the rank rows it has, and how many sequences use it."""

    rows: NDArray[np.int32]
    users: int = 0


WritePage = Callable[[int, Pages], None]
"""(first row, one page of every layer): puts a page into the device's bank."""


class AdapterBank:
    """Which rank rows hold which adapter. Used by the decoding thread only."""

    def __init__(self, registry: AdapterRegistry, rows: int, write: WritePage) -> None:
        """``rows`` is a multiple of PAGE, or 0 for an engine without adapters."""
        self.registry = registry
        self.rows = rows
        self.loads = 0
        self._write = write
        self._free = list(range(0, rows, PAGE))
        self._resident: OrderedDict[str, Resident] = OrderedDict()

    def resident(self) -> list[str]:
        """Content hashes in the bank, least recently used first."""
        return list(self._resident)

    def acquire(self, contents: Sequence[str]) -> bool:
        """Bring all these adapters into the bank and hold them; False if others must leave first.

        Raises BankFull if they would never fit.
        """
        missing = [content for content in contents if content not in self._resident]
        pages = {content: _pages(self.registry.info(content).rows) for content in missing}
        total = sum(pages.values()) + sum(
            len(self._resident[c].rows) // PAGE for c in contents if c not in pages
        )
        if total * PAGE > self.rows:
            raise BankFull(
                f"these adapters need {total * PAGE} rank rows and the bank has {self.rows}",
                needed=total * PAGE,
                rows=self.rows,
            )
        if not self._make_room(sum(pages.values()), keep=contents):
            return False
        for content in missing:
            self._load(content, pages[content])
        for content in contents:
            self._resident[content].users += 1
            self._resident.move_to_end(content)
        return True

    def release(self, contents: Sequence[str]) -> None:
        """Let go of what acquire held; the rows stay until others need the room."""
        for content in contents:
            self._resident[content].users -= 1

    def evict(self, content: str) -> None:
        """Take an adapter that nobody uses out of the bank."""
        resident = self._resident.get(content)
        if resident is not None and resident.users == 0:
            del self._resident[content]
            self._free.extend(int(row) for row in resident.rows[::PAGE])

    def gate_row(self, mixture: Mapping[str, float] | Sequence[tuple[str, float]]) -> NDArray[np.float32]:
        """Gates of every rank row for one sequence, f32 [rows]."""
        gates = np.zeros(self.rows, np.float32)
        for content, gate in dict(mixture).items():
            gates[self._resident[content].rows] = gate
        return gates

    def _make_room(self, pages: int, keep: Sequence[str]) -> bool:
        idle = [
            content
            for content, resident in self._resident.items()
            if resident.users == 0 and content not in keep and not self._pinned(content)
        ]
        within_reach = len(self._free) + sum(len(self._resident[content].rows) // PAGE for content in idle)
        if within_reach < pages:
            if not any(resident.users for resident in self._resident.values()):
                raise BankFull("pinned adapters leave too few rank rows", needed=pages * PAGE, rows=self.rows)
            return False
        for content in idle:
            if len(self._free) >= pages:
                break
            self.evict(content)
        return True

    def _pinned(self, content: str) -> bool:
        try:
            return self.registry.info(content).pinned
        except AdapterNotFound:
            return False

    def _load(self, content: str, pages: int) -> None:
        adapter = self.registry.adapter(content)
        self._free.sort()
        starts = [self._free.pop(0) for _ in range(pages)]
        for start, page in zip(starts, adapter_pages(adapter, self.registry.config), strict=True):
            self._write(start, page)
        rows = np.concatenate([np.arange(start, start + PAGE, dtype=np.int32) for start in starts])
        self._resident[content] = Resident(rows)
        self.loads += 1


def _pages(rows: int) -> int:
    return -(-rows // PAGE)


def adapter_pages(adapter: Adapter, config: ModelConfig) -> list[Pages]:
    """The adapter as pages of rank rows, the scaling folded into b, in f32 host memory."""
    count = _pages(adapter.rows)
    shapes = config.linear_shapes()
    out: list[Pages] = []
    for first in range(0, count * PAGE, PAGE):
        page: Pages = {}
        for target in TARGETS:
            width, inner = shapes[target]
            page[target] = (
                np.empty((config.layers, PAGE, inner), np.float32),
                np.empty((config.layers, PAGE, width), np.float32),
            )
            for layer in range(config.layers):
                a, b = page[target][0][layer], page[target][1][layer]
                down, up = adapter.tensors.get((layer, target), _NO_ROWS)
                rank = min(max(down.shape[0] - first, 0), PAGE)
                a[rank:], b[rank:] = 0, 0
                if rank:
                    a[:rank] = down[first : first + rank]
                    scaling = np.float32(adapter.scaling((layer, target)))
                    np.multiply(up[:, first : first + rank].T, scaling, out=b[:rank])
        out.append(page)
    return out


_NO_ROWS = (np.empty((0, 0), np.float32), np.empty((0, 0), np.float32))


def empty_bank(config: ModelConfig, rows: int, dtype: Any = jnp.float32) -> Lora:
    """A bank of ``rows`` zero rank rows for every linear of every layer."""
    shapes = config.linear_shapes()
    return tuple(
        {
            target: LoraPair(
                unwritten_zeros((rows, shapes[target][1]), dtype),
                unwritten_zeros((rows, shapes[target][0]), dtype),
            )
            for target in TARGETS
        }
        for _ in range(config.layers)
    )
