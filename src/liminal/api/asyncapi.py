"""The AsyncAPI document of the chat socket, made of the schemas of its commands and frames."""

from __future__ import annotations

import inspect
from typing import Any, get_args

from pydantic import BaseModel

from liminal.chat.frames import Command, Frame, frame_schema
from liminal.chat.session import CLOSE_CODES

CHANNEL = "stream"
COMMANDS: tuple[type[BaseModel], ...] = get_args(get_args(Command)[0])
FRAMES: tuple[type[BaseModel], ...] = get_args(Frame)


def asyncapi_document(version: str) -> dict[str, Any]:
    """The document (AsyncAPI 3.0), from the server's side: it receives commands and sends frames."""
    definitions: dict[str, Any] = frame_schema()["$defs"]
    closes = "; ".join(f"{code}: {reason}" for code, reason in CLOSE_CODES.items())
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "liminal chat socket",
            "version": version,
            "description": f"Commands up, frames of many turns down. Close codes: {closes}.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "localhost:8800",
                "protocol": "ws",
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SECURITY],
            }
        },
        "channels": {
            CHANNEL: {
                "address": "/v1/chat/stream",
                "messages": {m.__name__: _ref("messages", m) for m in (*COMMANDS, *FRAMES)},
                "bindings": {
                    "ws": {"query": {"type": "object", "properties": {"ticket": {"type": "string"}}}}
                },
            }
        },
        "operations": {
            "command": _operation("receive", COMMANDS, "What a client may send."),
            "frame": _operation("send", FRAMES, "What the server sends."),
        },
        "components": {
            "messages": {m.__name__: _message(m) for m in (*COMMANDS, *FRAMES)},
            "schemas": definitions,
            "securitySchemes": _SECURITY,
        },
    }
    return _pointing_at_components(document)


_SECURITY: dict[str, Any] = {
    "cookie": {
        "type": "httpApiKey",
        "in": "cookie",
        "name": "__Host-liminal",
        "description": "A browser's session; the Origin header must be ours.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token or an API key."},
    "ticket": {
        "type": "httpApiKey",
        "in": "query",
        "name": "ticket",
        "description": "From POST /v1/auth/ws-ticket; good for 30 seconds and one socket.",
    },
}


def _message(model: type[BaseModel]) -> dict[str, Any]:
    field = model.model_fields.get("cmd") or model.model_fields["type"]
    return {
        "name": get_args(field.annotation)[0],
        "summary": inspect.getdoc(model),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def _operation(action: str, models: tuple[type[BaseModel], ...], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{model.__name__}"} for model in models],
    }


def _ref(kind: str, model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{model.__name__}"}


def _pointing_at_components(node: Any) -> Any:
    """The same tree, with references into a JSON Schema's ``$defs`` led to the document's components."""
    match node:
        case {"$ref": str() as ref}:
            return {**node, "$ref": ref.replace("#/$defs/", "#/components/schemas/")}
        case dict():
            return {name: _mapped(name, child) for name, child in node.items()}
        case list():
            return [_pointing_at_components(child) for child in node]
        case _:
            return node


def _mapped(name: str, child: Any) -> Any:
    # a discriminator's mapping holds references without a $ref
    if name == "mapping" and isinstance(child, dict):
        return {key: ref.replace("#/$defs/", "#/components/schemas/") for key, ref in child.items()}
    return _pointing_at_components(child)
