"""Schemas of other writers, which anyone with a grant for the registry may have put there.

Records under them are read by fastavro, which takes time for every value, also for one that has no bytes: an array of a
billion nulls is six bytes long. It calls itself for a type within a type, without a limit.
"""

from __future__ import annotations

from typing import Any

DEPTH_MAX = 20
"""Types within types: the schemas of this release need 6."""
TYPES_MAX = 2_000
"""Types and references to types in one schema: those of this release need 80."""
_WITH_BYTES = frozenset({"boolean", "int", "long", "float", "double", "bytes", "string"})
_NAMED = frozenset({"record", "error", "enum", "fixed"})


class UnusableSchema(LookupError):
    """Records of the schema cannot be read at a cost that follows their bytes; the message says why."""


def check_writers_schema(schema: object) -> None:
    """Check that each value of a schema takes a byte at least, and that no type is within itself.

    Raises:
        UnusableSchema: it is not so, or it is not the form of a schema.
    """
    _Walk().visit(schema, "", 0)


class _Walk:
    def __init__(self) -> None:
        self._depths: dict[str, int | None] = {}
        """Levels below each named type by its full name; None: it is being visited."""
        self._visited = 0

    def visit(self, schema: object, namespace: str, depth: int) -> int:
        """Return how many levels of types there are below a schema's own."""
        self._visited += 1
        if self._visited > TYPES_MAX:
            raise UnusableSchema(f"it has more than {TYPES_MAX} types")
        if depth > DEPTH_MAX:
            raise UnusableSchema(f"it has more than {DEPTH_MAX} levels of types")
        if isinstance(schema, str):
            return self._reference(schema, namespace, depth)
        if isinstance(schema, list):
            return self._below([branch for branch in schema if branch not in _NULLS], namespace, depth)
        if not isinstance(schema, dict):
            raise UnusableSchema(f"a schema is a text, a list or an object, not {type(schema).__name__}")
        return self._object(schema, namespace, depth)

    def _object(self, schema: dict[str, Any], namespace: str, depth: int) -> int:
        kind = schema.get("type")
        if isinstance(kind, dict | list):
            return self.visit(kind, namespace, depth + 1)
        if schema.get("logicalType") == "decimal":
            raise UnusableSchema("it has decimals, whose digits take time by their square")
        if kind in _NAMED:
            return self._named(schema, namespace, depth)
        if kind == "array":
            return self._below([schema.get("items")], namespace, depth)
        if kind == "map":
            return self._below([schema.get("values")], namespace, depth)
        return self._reference(str(kind), namespace, depth)

    def _named(self, schema: dict[str, Any], namespace: str, depth: int) -> int:
        name, kind = _full(str(schema.get("name")), str(schema.get("namespace") or namespace)), schema["type"]
        fields = schema.get("fields")
        if kind == "fixed" and not schema.get("size"):
            raise UnusableSchema(f"{name} takes no bytes")
        levels = 0
        if kind in {"record", "error"}:
            if not isinstance(fields, list) or not fields:
                raise UnusableSchema(f"{name} has no fields, so it takes no bytes")
            self._depths[name] = None
            types = [field.get("type") if isinstance(field, dict) else None for field in fields]
            levels = self._below(types, name.rpartition(".")[0], depth)
        self._depths[name] = levels
        return levels

    def _reference(self, name: str, namespace: str, depth: int) -> int:
        if name in _WITH_BYTES:
            return 0
        if name == "null":
            raise UnusableSchema("it has a null that is no branch of a union, so it takes no bytes")
        full = _full(name, namespace)
        if full not in self._depths:
            raise UnusableSchema(f"{full[:100]!r} is not defined before it is used")
        levels = self._depths[full]
        if levels is None:
            raise UnusableSchema(f"{full} is within itself")
        if depth + levels > DEPTH_MAX:
            raise UnusableSchema(f"it has more than {DEPTH_MAX} levels of types")
        return levels

    def _below(self, schemas: list[Any], namespace: str, depth: int) -> int:
        return 1 + max([self.visit(schema, namespace, depth + 1) for schema in schemas], default=0)


_NULLS = ("null", {"type": "null"})


def _full(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
