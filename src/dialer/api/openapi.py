"""The OpenAPI 3.1 document, assembled from the route table and the models' JSON Schemas.

`python -m dialer.api.openapi [FILE]` writes it, to docs/openapi.json unless told otherwise.
"""

from __future__ import annotations

import json
import re
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

import dialer
from dialer.api.idempotency import METHODS
from dialer.api.models import ProblemDetails

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.api.route import Route

JsonObject = dict[str, Any]

_KEY = r"^[!#-~]([ !#-~]*[!#-~])?$"

_DESCRIPTION = """\
Steers call campaigns and reads what became of every call.

Every refusal is a problem (RFC 9457) whose `detail` says in one line what is wrong, where, and \
what to do. Any request may get 400, 401 (token), 403 (web page of another origin), 408, 413, \
415, 421 (Host is not a name of the service), 422 (input that does not fit; `errors` holds JSON \
pointers), 429 with Retry-After (too many requests, see the RateLimit fields) and 503 with \
Retry-After (Postgres is away, or too many connections).

A POST or PATCH that is sent with an Idempotency-Key is done once: sent again, it gets the same \
answer, with `Idempotent-Replayed: true`.

A token is of one account and has a role: a viewer reads, an operator also creates, changes and \
steers and listens to recordings, an admin also makes tokens, steers trunks and deletes \
recordings. `x-role` of an operation says which role it needs; 403 tells where the token's does \
not suffice. Nothing of another account is ever seen: it \
is 404."""

_HEADERS: JsonObject = {
    "X-Request-Id": {
        "description": "Of the request, where it has one; the log and the audit log name it.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What the token may still send, and seconds until it may send all again.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "How many requests in how many seconds a token may send.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "Of this answer; that of a campaign begins with its version.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]+(-[0-9a-f]+)?"$'},
    },
    "Accept-Ranges": {
        "description": "That parts can be asked for.",
        "schema": {"type": "string", "enum": ["bytes"]},
    },
    "Content-Range": {
        "description": "Of a part: its first and last byte, and how many there are in all.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "The request was done before, and this is its answer.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_PARAMETERS: JsonObject = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "New for each request, such as a UUID; the same when it is sent again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": _KEY},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what was read: 412 where it has changed since.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of an earlier answer: 304 where it would be the same now.",
        "schema": {"type": "string"},
    },
    "Range": {
        "name": "Range",
        "in": "header",
        "description": "One part of it, such as bytes=0-999, bytes=1000- or, its end, bytes=-500.",
        "schema": {"type": "string"},
    },
    "IfRange": {
        "name": "If-Range",
        "in": "header",
        "description": "The ETag of what is there of it already: all of it where that has changed.",
        "schema": {"type": "string"},
    },
}

_FILE = {
    "text/csv": {"type": "string"},
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {},  # any bytes
    "multipart/form-data": {
        "type": "object",
        "properties": {"file": {"contentMediaType": "application/octet-stream"}},
        "required": ["file"],
    },
}


def document(routes: Iterable[Route]) -> JsonObject:
    """Return the OpenAPI document of `routes`."""
    routes = tuple(routes)
    schemas = _Schemas(routes)
    paths: dict[str, JsonObject] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dialer",
            "version": dialer.__version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "headers": _HEADERS,
            "parameters": _PARAMETERS,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Needed unless the service listens on loopback without one.",
                }
            },
        },
        "security": [{"token": []}, {}],
    }


class _Schemas:
    """The JSON Schemas of every shape that the routes name, under components/schemas."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        bodies = {shape for route in routes for shape in route.bodies.values() if shape}
        answers = {route.answer for route in routes if isinstance(route.answer, type)}
        answers.add(ProblemDetails)
        self._found, rest = pydantic.TypeAdapter.json_schemas(
            [
                *((shape, "validation", shape) for shape in bodies),
                *((model, "serialization", pydantic.TypeAdapter(model)) for model in answers),
            ],
            ref_template="#/components/schemas/{model}",
        )
        self.definitions: JsonObject = dict(sorted(rest["$defs"].items()))

    def body(self, shape: pydantic.TypeAdapter[Any]) -> JsonObject:
        """Return the schema of a request's body."""
        return self._found[shape, "validation"]

    def answer(self, model: type[pydantic.BaseModel]) -> JsonObject:
        """Return the schema of an answer."""
        return self._found[model, "serialization"]


def _operation(route: Route, schemas: _Schemas) -> JsonObject:
    """Return one operation object."""
    operation: JsonObject = {"operationId": route.name, "summary": route.summary}
    parameters = [
        *_path_parameters(route),
        *_query_parameters(route),
        *({"$ref": f"#/components/parameters/{name}"} for name in _header_parameters(route)),
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.bodies:
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {
                media: {"schema": _FILE[media] if shape is None else schemas.body(shape)}
                for media, shape in route.bodies.items()
            },
        }
    answer: JsonObject = {
        "description": HTTPStatus(route.status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _headers(route)},
    }
    if isinstance(route.answer, str):
        kind = "object" if route.answer == "application/json" else "string"
        answer["content"] = {route.answer: {"schema": {"type": kind}}}
    elif route.answer is not None:
        answer["content"] = {"application/json": {"schema": schemas.answer(route.answer)}}
    if route.status == HTTPStatus.CREATED:
        answer["headers"]["Location"] = {"schema": {"type": "string"}}
    refused = {"application/problem+json": {"schema": schemas.answer(ProblemDetails)}}
    operation["responses"] = {
        str(route.status): answer,
        **{
            str(status): {"description": meaning, "content": refused}
            for status, meaning in route.refusals.items()
        },
        "default": {"description": "A problem", "content": refused},
    }
    if route.in_parts:
        operation["responses"]["206"] = answer | {"description": "The part that Range asks for"}
    if route.tagged or route.in_parts:
        operation["responses"]["304"] = {"description": "The answer is that of If-None-Match"}
    if route.versioned:
        changed = {"description": "It has changed since it was read", "content": refused}
        operation["responses"]["412"] = changed
    if route.role is None:
        operation["security"] = []
    else:
        operation["x-role"] = route.role.value
        operation["responses"]["403"] = {
            "description": f"The token has a lesser role than {route.role.value}"
            + (", or is not one of the default account" if route.instance else ""),
            "content": refused,
        }
    return operation


def _headers(route: Route) -> list[str]:
    """Return the header fields of an answer."""
    return [
        "X-Request-Id",
        *(("RateLimit", "RateLimit-Policy") if route.limited else ()),
        *(("Accept-Ranges", "Content-Range") if route.in_parts else ()),
        *(
            ("ETag",)
            if route.tagged or route.in_parts or (route.versioned and route.answer)
            else ()
        ),
        *(("Idempotent-Replayed",) if _keyed(route) else ()),
    ]


def _header_parameters(route: Route) -> list[str]:
    return [
        *(("IdempotencyKey",) if _keyed(route) else ()),
        *(("IfMatch",) if route.versioned else ()),
        *(("IfNoneMatch",) if route.tagged or route.in_parts else ()),
        *(("Range", "IfRange") if route.in_parts else ()),
    ]


def _keyed(route: Route) -> bool:
    """Whether it is done once for an idempotency key."""
    return route.method in METHODS and route.limited


def _path_parameters(route: Route) -> list[JsonObject]:
    """Return the parameters in braces: ids, and names."""
    schemas: dict[str, JsonObject] = {
        "id": {"type": "integer", "format": "int64", "minimum": 1},
        "name": {"type": "string"},
        "token": {"type": "string", "pattern": "^cc_[A-Za-z0-9_-]{43}$"},
        "recording_id": {"type": "string", "format": "uuid"},
    }
    return [
        {"name": name, "in": "path", "required": True, "schema": schemas[name]}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[JsonObject]:
    """Return the query parameters, each with its schema in place."""
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            **({"description": text} if (text := found.pop("description", "")) else {}),
            "schema": _in_place(found, definitions),
        }
        for name, found in schema["properties"].items()
    ]


def _in_place(schema: Any, definitions: JsonObject) -> Any:
    """Return `schema` with each reference replaced by what it names."""
    if isinstance(schema, list):
        return [_in_place(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return definitions[schema["$ref"].rpartition("/")[2]]
    return {name: _in_place(part, definitions) for name, part in schema.items()}


def text(routes: Iterable[Route]) -> str:
    """Return the document as it stands in docs/openapi.json."""
    return json.dumps(document(routes), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the document of the API's routes."""
    from dialer.api.routes import ROUTES  # noqa: PLC0415 - the table's handlers need not this module

    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/openapi.json")
    path.write_text(text(ROUTES), encoding="utf-8")


if __name__ == "__main__":
    main()
