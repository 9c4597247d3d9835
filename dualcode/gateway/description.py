"""What the gateway answers to, as an OpenAPI description: for whoever generates clients, and for tests."""

from typing import Any

from dualcode import __version__

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_MODEL: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    },
}
_MESSAGE: dict[str, Any] = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool", "function"]},
        "content": {"type": ["string", "null"]},
    },
}
_CHAT: dict[str, Any] = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
        "stream": {"type": ["boolean", "null"]},
        "max_tokens": {"type": ["integer", "null"], "minimum": 1},
        "max_completion_tokens": {"type": ["integer", "null"], "minimum": 1},
        "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
        "top_p": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
        "seed": {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1},
        "stop": {"type": ["string", "array", "null"], "items": {"type": "string"}},
        "n": {"type": ["integer", "null"], "minimum": 1},
    },
}
_COMPLETION: dict[str, Any] = {
    "type": "object",
    "required": ["model", "prompt"],
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "prompt": {"type": "string"},
        "stream": {"type": ["boolean", "null"]},
        "max_tokens": {"type": ["integer", "null"], "minimum": 1},
    },
}


def _answers(kind: str | None) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "type": "object",
        "required": ["id", "object", "created", "model", "choices"],
        "properties": {"object": {"const": kind}, "choices": {"type": "array", "minItems": 1}},
    }
    content = {"application/json": {"schema": whole}, "text/event-stream": {"schema": {"type": "string"}}}
    return {"description": "The answer, as one object or as a stream of events.", "content": content}


def describe() -> dict[str, Any]:
    """Return the description."""
    refused = {"description": "Refused.", "content": {"application/json": {"schema": _ERROR}}}
    listed = {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL}},
    }

    def told(schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": "Found.", "content": {"application/json": {"schema": schema}}}

    def posted(schema: dict[str, Any], kind: str) -> dict[str, Any]:
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        return {"requestBody": body, "responses": {"200": _answers(kind), "default": refused}}

    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "dualcode gateway", "version": __version__},
        "paths": {
            "/v1/models": {"get": {"responses": {"200": told(listed), "default": refused}}},
            "/v1/models/{name}": {
                "get": {"parameters": [name], "responses": {"200": told(_MODEL), "default": refused}}
            },
            "/v1/chat/completions": {"post": posted(_CHAT, "chat.completion")},
            "/v1/completions": {"post": posted(_COMPLETION, "text_completion")},
        },
    }
