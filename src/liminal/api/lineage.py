"""/v1/messages/{id}/lineage and /v1/feedback/{id}/influence: what made an answer, what feedback led to."""

from __future__ import annotations

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.learning_views import FeedbackInfluence, MessageLineage
from liminal.chat.conversations import MessageRow
from liminal.chat.feedback import FeedbackRow
from liminal.learning.adapters.lineage import influence_of, lineage_of

lineage = Noun("lineage")


async def message_of_path(call: Call) -> MessageRow:
    """The message that the path names."""
    return await call.services.conversations.message(call.id)


async def feedback_of_path(call: Call) -> FeedbackRow:
    """The feedback that the path names."""
    return await call.services.feedback.get(call.id)


@lineage.route(
    "GET",
    "/v1/messages/{id:uuid}/lineage",
    action="lineage.read",
    resource=message_of_path,
    reply=MessageLineage,
    errors=(404,),
)
async def get_lineage(call: Call, resource: MessageRow) -> MessageLineage:
    """Why this answer: adapter versions and gates, the runs that made them, the feedback behind those."""
    return await _lineage(call, resource)


@lineage.route(
    "GET",
    "/v1/admin/messages/{id:uuid}/lineage",
    action="learning.read",
    resource=message_of_path,
    reply=MessageLineage,
    errors=(404,),
)
async def get_tenant_lineage(call: Call, resource: MessageRow) -> MessageLineage:
    """The same for an admin of the tenant, without anybody's words."""
    return await _lineage(call, resource)


async def _lineage(call: Call, message: MessageRow) -> MessageLineage:
    chain = await lineage_of(call.services.log.pool, message.id)
    return MessageLineage.model_validate(chain.seen_by(call.actor.account_id))


@lineage.route(
    "GET",
    "/v1/feedback/{id:uuid}/influence",
    action="lineage.read",
    resource=feedback_of_path,
    reply=FeedbackInfluence,
    errors=(404,),
)
async def get_influence(call: Call, resource: FeedbackRow) -> FeedbackInfluence:
    """What this feedback led to: the versions it shaped, and how many answers each has made."""
    versions = await influence_of(call.services.log.pool, resource.id)
    return FeedbackInfluence.model_validate({"feedback_id": resource.id, "versions": versions})
