"""The notice and gather reactions: wishes, clusters and proposals. ``python -m consumers.gather``."""

from __future__ import annotations

import asyncio

from liminal.learning.clusters.gathering import gather_app
from liminal.log.reaction import run_app

if __name__ == "__main__":
    asyncio.run(run_app("gather", gather_app))
