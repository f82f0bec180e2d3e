"""The respond reaction, and the others that need the model it has loaded.

``python -m consumers.respond`` runs all of them, ``python -m consumers.respond <name> …`` only those named:
``respond`` and the rows of liminal.chat.engine_reactions.
"""

from __future__ import annotations

import asyncio
import sys

from liminal.chat.worker import respond_app
from liminal.log.reaction import run_app

if __name__ == "__main__":
    asyncio.run(run_app("respond", lambda settings: respond_app(settings, sys.argv[1:])))
