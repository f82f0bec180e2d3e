"""/v1/embeddings: OpenAI's embeddings, computed by this installation's sentence encoder.

An embedding decides nothing and changes nothing, so it leaves no event. The encoder is loaded into the API
process by the first request.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.errors import InvalidRequest
from liminal.api.openai_views import AnyReply
from liminal.api.reply import json_response
from liminal.api.schema import Body
from liminal.chat.frames import MAX_CONTENT
from liminal.engine.embedder import DEFAULT_ENCODER

embeddings = Noun("embeddings")

Text = Annotated[str, Field(min_length=1, max_length=MAX_CONTENT)]


class TruncateOption(BaseModel):
    """Our extension of an embedding request."""

    model_config = ConfigDict(extra="forbid")

    truncate: bool = Field(default=False, description="cut a text that is too long instead of refusing it")


class EmbeddingRequest(Body):
    """POST /v1/embeddings."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"model": "all-MiniLM-L6-v2", "input": "a small boat"}]},
    )

    model: str = Field(max_length=300)
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=256)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, le=65_536)
    liminal: TruncateOption = Field(default_factory=TruncateOption)

    @property
    def texts(self) -> list[str]:
        """What is to be embedded."""
        return [self.input] if isinstance(self.input, str) else self.input


@embeddings.route("POST", "/v1/embeddings", action="embedding.create", reply=AnyReply, slot="embedding")
async def create_embedding(call: Call, json: EmbeddingRequest) -> Response:
    """OpenAI's embeddings, of text. A text longer than the encoder reads is refused, or cut on request."""
    if json.model != DEFAULT_ENCODER:
        raise InvalidRequest(
            f"There is no embedding model {json.model!r}; this is {DEFAULT_ENCODER!r}.", field="model"
        )
    embedder = call.services.embedder
    encoder = await embedder.encoder()
    if json.dimensions not in (None, encoder.dimension):
        raise InvalidRequest(
            f"{encoder.name} has {encoder.dimension} dimensions and cannot give {json.dimensions}.",
            field="dimensions",
        )
    counts = [encoder.count_tokens(text) for text in json.texts]
    longest = encoder.config.max_length
    for index, count in enumerate(counts):
        if count > longest and not json.liminal.truncate:
            raise InvalidRequest(
                f"input {index} has {count} tokens and {encoder.name} reads {longest}; "
                '"liminal": {"truncate": true} cuts it.',
                field="input",
            )
    vectors = await embedder.embed(json.texts)
    tokens = sum(min(count, longest) for count in counts)

    def encoded(vector: Any) -> Any:
        if json.encoding_format == "base64":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector.tolist()

    return json_response(
        {
            "object": "list",
            "model": encoder.name,
            "data": [
                {"object": "embedding", "index": index, "embedding": encoded(vector)}
                for index, vector in enumerate(vectors)
            ],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )
