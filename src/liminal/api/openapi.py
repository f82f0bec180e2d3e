"""The OpenAPI document, read by spectree from the table of endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from spectree import Response, SpecTree
from spectree.models import SecureType, SecurityScheme, SecuritySchemeData
from spectree.plugins.starlette_plugin import Route, StarlettePlugin
from starlette.convertors import Convertor, register_url_convertor

from liminal.api.endpoint import Endpoint
from liminal.api.schema import ErrorEnvelope
from liminal.identity.authorize import RULES, Audience
from liminal.identity.cookies import SAFE_METHODS, SECURE_COOKIE

TITLE = "liminal"
DESCRIPTION = (
    "Chat that learns. Every error has the form `{error: {code, message, details}}`; times are RFC 3339; "
    "lists are cursor pages. A browser signs in with a cookie and sends `X-Liminal: 1` with every request "
    "that changes something; programs send `Authorization: Bearer` with an access token or an API key."
)
IDEMPOTENCY_HEADER = "Idempotency-Key"

_PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "slug": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "artifact": {"type": "string", "pattern": "^[a-z][a-z0-9._-]{0,99}$"},
    "position": {"type": "string", "pattern": "^[0-9]{1,9}:[0-9]{1,18}$"},
    "int": {"type": "integer", "minimum": 0},
}


class _Slug(Convertor[str]):
    regex = "[a-z][a-z0-9_-]{0,62}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _PositionText(_Slug):
    regex = "[0-9]{1,9}:[0-9]{1,18}"


class _ArtifactId(_Slug):
    regex = "[a-z][a-z0-9._-]{0,99}"


register_url_convertor("slug", _Slug())
register_url_convertor("artifact", _ArtifactId())
register_url_convertor("position", _PositionText())


class _TablePlugin(StarlettePlugin):
    """Gives spectree the table of endpoints where it would look at an application's routes."""

    table: Sequence[tuple[Endpoint, Any]] = ()

    def find_routes(self) -> list[Any]:
        return [Route(endpoint.path, {endpoint.method}, function) for endpoint, function in self.table]

    def bypass(self, func: Any, method: str) -> bool:
        return False

    def parse_path(self, route: Any, path_parameter_descriptions: Any) -> tuple[str, list[dict[str, Any]]]:
        path, parameters = super().parse_path(route, path_parameter_descriptions)
        kinds = dict(
            part.strip("{}").split(":", 1)
            for part in route.path.split("/")
            if part.startswith("{") and ":" in part
        )
        for parameter in parameters:
            parameter["schema"] = _PATH_SCHEMAS[kinds[parameter["name"]]]
        return path, parameters


def _component_name(model: type[BaseModel]) -> str:
    return model.__name__.lstrip("_")


def _responses(endpoint: Endpoint) -> Response:
    response = Response()
    if endpoint.reply is None:
        response.codes.append(f"HTTP_{endpoint.status}")
    else:
        response.add_model(endpoint.status, endpoint.reply)
    refusals = {429, *endpoint.errors}
    if RULES[endpoint.action].audience is not Audience.PUBLIC:
        refusals |= {401, 403}
    for status in sorted(refusals):
        response.add_model(status, ErrorEnvelope)
    return response


def openapi_document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of ``endpoints``."""
    tree = SpecTree(
        backend=_TablePlugin,
        naming_strategy=_component_name,
        nested_naming_strategy=lambda _parent, child: child.lstrip("_"),
        validation_error_model=ErrorEnvelope,
        annotations=False,
        title=TITLE,
        description=DESCRIPTION,
        version=version,
        security_schemes=[
            SecurityScheme(
                name="cookie",
                data=SecuritySchemeData.model_validate(
                    {"type": SecureType.API_KEY, "name": SECURE_COOKIE, "field_in": "cookie"},
                    model_adapter=_adapter(),
                ),
            ),
            SecurityScheme(
                name="bearer",
                data=SecuritySchemeData.model_validate(
                    {"type": SecureType.HTTP, "scheme": "bearer"}, model_adapter=_adapter()
                ),
            ),
        ],
    )
    table: list[tuple[Endpoint, Any]] = []
    for endpoint in endpoints:
        public = RULES[endpoint.action].audience is Audience.PUBLIC
        decorate = tree.validate(
            query=endpoint.query,
            json=endpoint.json,
            resp=_responses(endpoint),
            tags=(endpoint.tag,),
            security=[] if public else [{"cookie": []}, {"bearer": []}],
            skip_validation=True,
            operation_id=endpoint.name,
        )
        table.append((endpoint, decorate(endpoint.handler)))
    plugin = tree.backend
    assert isinstance(plugin, _TablePlugin)
    plugin.table = table
    document: dict[str, Any] = tree.spec
    for endpoint in endpoints:
        _add_headers(document, endpoint)
    return document


def _adapter() -> Any:
    from spectree.model_adapter import get_pydantic_model_adapter

    return get_pydantic_model_adapter()


def _add_headers(document: dict[str, Any], endpoint: Endpoint) -> None:
    path = endpoint.path
    for kind in _PATH_SCHEMAS:
        path = path.replace(f":{kind}}}", "}")
    operation = document["paths"][path][endpoint.method.lower()]
    parameters: list[dict[str, Any]] = operation["parameters"]
    if endpoint.method == "POST":
        parameters.append(
            {
                "name": IDEMPOTENCY_HEADER,
                "in": "header",
                "required": False,
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,128}$"},
                "description": "the same key and body get the same answer for 24 hours",
            }
        )
    if endpoint.method not in SAFE_METHODS:
        parameters.append(
            {
                "name": "X-Liminal",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "enum": ["1"]},
                "description": "required with the session cookie",
            }
        )
    operation["x-action"] = endpoint.action
