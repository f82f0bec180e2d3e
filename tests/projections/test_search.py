"""Full-text search over one owner's messages."""

from __future__ import annotations

from tests.projector.conftest import fold_everything
from tests.projector.people import Person

from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.projector.resources import open_resources
from liminal.settings import Settings

SEARCH = """
SELECT m.content FROM read.messages m JOIN read.conversations c USING (conversation_id),
    websearch_to_tsquery('simple', $2) AS query
WHERE c.owner_id = $1 AND m.content ILIKE ALL (read.search_patterns($2)) AND m.search @@ query
ORDER BY ts_rank_cd(m.search, query) DESC, m.content
"""


async def test_patterns_leave_out_no_match_and_owners_see_their_own(settings: Settings) -> None:
    ada, bob = Person(), Person()
    words = ["The Quick brown fox", "quick thinking, brown hat", "a 100% sure thing", "Straße und Größe"]
    async with Log.open(settings) as log, open_resources(settings) as resources:
        mine, his = new_id(), new_id()
        await log.append_many([ada.begin(mine), *(ada.say(mine, text) for text in words)])
        await log.append_many([bob.begin(his), bob.say(his, "quick brown secret")])
        await fold_everything(resources)

        async def search(query: str) -> list[str]:
            return [row["content"] for row in await log.pool.fetch(SEARCH, ada.id, query)]

        assert await search("QUICK brown") == ["The Quick brown fox", "quick thinking, brown hat"]
        assert await search('"brown fox"') == ["The Quick brown fox"]
        assert await search("fox or hat") == ["The Quick brown fox", "quick thinking, brown hat"]
        assert await search("brown -fox") == ["quick thinking, brown hat"]
        assert await search("100%") == ["a 100% sure thing"]
        assert await search("größe") == ["Straße und Größe"]
        assert await search("secret") == []
        assert len(await search("")) == 0


PATTERNS = {
    "quick brown": ["%brown%", "%quick%"],
    "50_% off\\": ["%50%", "%off%"],
    '"a phrase"': [],
    "either or both": [],
    "not -this": [],
    "": [],
}


async def test_patterns_are_only_of_words_that_must_occur(settings: Settings) -> None:
    async with Log.open(settings) as log, open_resources(settings):
        for query, patterns in PATTERNS.items():
            found = await log.pool.fetchval("SELECT read.search_patterns($1)", query)
            assert sorted(found) == patterns, query
