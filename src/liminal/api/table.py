"""Every endpoint of this server, in the order in which paths are matched."""

from __future__ import annotations

from starlette.routing import WebSocketRoute

from liminal.api.adapters import adapters
from liminal.api.admin_accounts import admin_accounts
from liminal.api.admin_artifacts import admin_artifacts
from liminal.api.admin_learning import admin_learning
from liminal.api.admin_log import admin_log
from liminal.api.admin_policies import admin_policies
from liminal.api.admin_projections import admin_projections
from liminal.api.admin_skills import admin_skills
from liminal.api.auth import auth
from liminal.api.chat import chat
from liminal.api.conversations import conversations
from liminal.api.document import document
from liminal.api.embeddings import embeddings
from liminal.api.endpoint import Endpoint
from liminal.api.feedback import feedback
from liminal.api.learned import learned
from liminal.api.lineage import lineage
from liminal.api.models import models
from liminal.api.openai import openai
from liminal.api.routing import routing
from liminal.api.settings import settings
from liminal.api.status import status
from liminal.api.stream import stream

NOUNS = (
    status,
    document,
    auth,
    conversations,
    chat,
    feedback,
    adapters,
    lineage,
    routing,
    learned,
    models,
    openai,
    embeddings,
    settings,
    admin_accounts,
    admin_skills,
    admin_learning,
    admin_artifacts,
    admin_policies,
    admin_projections,
    admin_log,
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for noun in NOUNS for endpoint in noun.endpoints)

SOCKETS: tuple[WebSocketRoute, ...] = (stream,)
