"""Export: the log as JSON lines, in order of time, each owner's events in the log's own order.

A line is an event as stored, personal fields sealed. With a vault they are decrypted, and ``sealed`` lists
the paths whose key is gone. When asked for, an owner's wrapped data key comes before its first event, as
``{"vault_key": {owner, wrapped}}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

import orjson

from liminal.log.errors import UndecodableRecord
from liminal.log.keys import export_keys
from liminal.log.look import see
from liminal.log.read import Filter, Reader
from liminal.storage.vault import Vault


async def export_log(
    reader: Reader,
    wanted: Filter,
    start: Mapping[int, int],
    end: Mapping[int, int],
    file: BinaryIO,
    *,
    decrypt_with: Vault | None,
    keys_from: Vault | None,
    advance: Callable[[int], None],
) -> int:
    """Write every event that passes from ``start`` to before ``end``, by partition; returns how many.

    Raises UndecodableRecord at the first record that is not an event.
    """
    written = 0
    known: set[str] = set()
    async for records in reader.upto(start, end):
        events = await see(filter(wanted.wants, records), decrypt_with)
        if keys_from is not None:
            owners = {event.owner for event in events if not isinstance(event, UndecodableRecord)} - known
            known |= owners
            for key in await export_keys(keys_from, sorted(owners)):
                file.write(orjson.dumps({"vault_key": key}, option=orjson.OPT_APPEND_NEWLINE))
        for event in events:
            if isinstance(event, UndecodableRecord):
                raise event
            file.write(orjson.dumps(event.as_dict(), option=orjson.OPT_APPEND_NEWLINE))
        written += len(events)
        advance(len(records))
    return written
