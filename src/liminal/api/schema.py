"""Base models of requests and replies, the error envelope, and cursor pages."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Item = TypeVar("Item")


def _refuse_nul(value: Any) -> None:
    match value:
        case str() if "\x00" in value:
            raise ValueError("the character U+0000 is not allowed in text")
        case dict():
            for key, inner in value.items():
                _refuse_nul(key)
                _refuse_nul(inner)
        case list():
            for inner in value:
                _refuse_nul(inner)
        case _:
            pass


class Body(BaseModel):
    """A JSON body or query string. Unknown fields are refused, so a typing error is never ignored."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _text_without_nul(cls, value: Any) -> Any:
        # Postgres text cannot hold U+0000; refusing it here names the rule instead of failing later
        _refuse_nul(value)
        return value


class View(BaseModel):
    """What a reply carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(View, Generic[Item]):
    """One page of a list; ask again with ``?cursor=`` until ``next_cursor`` is null."""

    items: list[Item]
    next_cursor: str | None = None


class PageQuery(Body):
    """``cursor`` from the page before, ``limit`` rows at most."""

    cursor: str | None = Field(default=None, max_length=500)
    limit: int = Field(default=50, ge=1, le=200)


class ErrorBody(View):
    """A stable code for programs, a sentence for people, details for both."""

    code: str
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class ErrorEnvelope(View):
    """Every refusal and failure of this API has this form."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "not_authenticated",
                        "message": "Sign in first.",
                        "details": {},
                    }
                }
            ]
        }
    )

    error: ErrorBody
