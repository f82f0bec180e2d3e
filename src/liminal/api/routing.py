"""/v1/messages/{id}/routing: why an answer is as it is."""

from __future__ import annotations

from liminal.api.artifact_views import RoutingView
from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.chat.conversations import MessageRow
from liminal.steering.explain import routing_of

routing = Noun("conversations")


async def _message_of_path(call: Call) -> MessageRow:
    return await call.services.conversations.message(call.id)


@routing.route(
    "GET",
    "/v1/messages/{id:uuid}/routing",
    action="conversation.read",
    resource=_message_of_path,
    reply=RoutingView,
    errors=(404,),
)
async def get_routing(call: Call, resource: MessageRow) -> RoutingView:
    """What was mixed into an answer, which rule did what, and which instructions were added."""
    return RoutingView.model_validate(await routing_of(call.services.log.pool, resource.id))
