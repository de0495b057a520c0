"""A value that is valid against a JSON Schema, seeded: the same schema and the same dice make the same value.

Each part of a value is made, checked and, where it does not hold, made again in another way, so that what comes out is
valid by the same check that says so (`is_valid`), whatever keywords meet. Optional properties are filled in, `null` is
the last choice, and what refers to itself ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from llmtest.simulation.script._generated_patterns import text_of_pattern
from llmtest.simulation.script._generated_words import Words, usual_range
from llmtest.simulation.script._schema import SHAPES, SchemaError, is_valid, matches, resolve, same
from llmtest.simulation.script._schema_merge import merge, plain

__all__ = ["any_object", "value_of"]

ATTEMPTS = 24
DEPTH = 5
"""How deep values nest before only what must be there is made."""
MOST_VALUES = 60
"""How many values are made before only what must be there is made."""
TOO_MANY = 20_000
TOO_DEEP = 60

IMPLIED = (
    ("object", ("properties", "required", "additionalProperties", "patternProperties", "minProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains")),
    ("string", ("format", "pattern", "minLength", "maxLength")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
"""What a schema without a type is about."""


def value_of(schema: Any, words: Words) -> Any:
    """Make a value that is valid against a schema.

    Args:
        schema: A JSON Schema.
        words: Where every choice comes from.

    Raises:
        SchemaError: The schema cannot be read, or no valid value was found.
    """
    return _Maker(schema, words).make(schema, "", 0)


def any_object(words: Words) -> dict[str, Any]:
    """Return an object for a request that wants one and says nothing about it."""
    return {"answer": words.sentence()}


class _Maker:
    def __init__(self, root: Any, words: Words) -> None:
        self._root = root
        self._words = words
        self._dice = words.dice
        self._made = 0
        self._heights: dict[str, float] = {}
        self._is_settled = True

    def make(self, schema: Any, name: str, depth: int) -> Any:
        """Make a value for the property of this name."""
        self._made += 1
        if depth > TOO_DEEP or self._made > TOO_MANY:
            raise SchemaError("a value would never end: the schema requires itself")
        failure: SchemaError | None = None
        for attempt in range(ATTEMPTS):
            try:
                value = self._attempt(schema, name, depth, attempt)
            except SchemaError as error:
                failure = error
                if self._made > TOO_MANY or not _has_a_choice(schema):
                    break
                continue
            if is_valid(schema, value, self._root):
                return value
        at = f" at `{name}`" if name else ""
        raise failure or SchemaError(f"no value was found for the schema{at}: its keywords may contradict each other")

    def _attempt(self, schema: Any, name: str, depth: int, attempt: int) -> Any:
        flat = self._flat(plain(schema), depth, attempt)
        if "enum" in flat:
            return self._one_of(flat["enum"], flat)
        kind = self._kind(flat, attempt)
        if kind == "object":
            return self._object(flat, depth, attempt)
        if kind == "array":
            return self._array(flat, name, depth, attempt)
        if kind == "string":
            return self._text(flat, name, attempt)
        if kind in {"integer", "number"}:
            return self._number(flat, name, attempt, is_whole=kind == "integer")
        return None if kind == "null" else self._dice.random() < 0.5

    def _flat(self, schema: dict[str, Any], depth: int, attempt: int) -> dict[str, Any]:
        """Follow references and choose branches, until one schema without either is left."""
        while True:
            if "$ref" in schema:
                target = plain(resolve(self._root, schema.pop("$ref")))
                schema = merge(schema, target)
            elif schema.get("allOf"):
                for part in schema.pop("allOf"):
                    schema = merge(schema, plain(part))
            elif schema.get("anyOf") or schema.get("oneOf"):
                for branches in [*schema.pop("anyOf", ()), *schema.pop("oneOf", ())]:
                    schema = merge(schema, plain(self._branch(branches, depth, attempt)))
            elif schema.get("conditions"):
                for condition, then, other in schema.pop("conditions"):
                    parts = (other,) if attempt % 2 else (condition, then)
                    for part in parts:
                        schema = merge(schema, plain(part))
            else:
                return schema

    def _branch(self, branches: list[Any], depth: int, attempt: int) -> Any:
        if self._is_enough(depth):
            heights = [self._height(branch) for branch in branches]
            return branches[heights.index(min(heights))] if attempt == 0 else self._dice.choice(branches)
        if attempt < ATTEMPTS // 2:
            said = [each for each in branches if not (isinstance(each, Mapping) and each.get("type") == "null")]
            return self._dice.choice(said or branches)
        return branches[attempt % len(branches)]

    def _is_enough(self, depth: int) -> bool:
        return depth >= DEPTH or self._made > MOST_VALUES

    def _height(self, schema: Any) -> float:
        """Return how deep the shallowest value of a schema nests; infinity where it requires itself."""
        height = self._look(schema)
        while not self._is_settled:
            self._is_settled = True
            for reference in list(self._heights):
                found = self._look(resolve(self._root, reference))
                if found != self._heights[reference]:
                    self._heights[reference] = found
                    self._is_settled = False
            height = self._look(schema)
        return height

    def _look(self, schema: Any) -> float:
        """Return the height as far as those of the references in it are known; infinity to begin with."""
        if not isinstance(schema, Mapping) or "enum" in schema or "const" in schema:
            return 0
        heights: list[float] = [0]
        reference = schema.get("$ref")
        if reference is not None:
            if reference not in self._heights:
                self._heights[reference] = math.inf
                self._is_settled = False
            heights.append(self._heights[reference])
        heights += [min(map(self._look, schema[name])) for name in ("anyOf", "oneOf") if schema.get(name)]
        heights += map(self._look, schema.get("allOf", ()))
        known = schema.get("properties", {})
        heights += [1 + self._look(known.get(name, True)) for name in schema.get("required", ())]
        if schema.get("minItems", 0) > 0:
            heights.append(1 + self._look(schema.get("items", True)))
        return max(heights)

    def _one_of(self, values: list[Any], flat: Mapping[str, Any]) -> Any:
        rest = {key: value for key, value in flat.items() if key not in {"enum", "nots", "type"}}
        rest |= {"type": list(flat["type"])} if "type" in flat else {}
        fitting = [value for value in values if is_valid(rest, value, self._root)]
        if not fitting:
            raise SchemaError("none of the values in an `enum` is valid against the rest of its schema")
        return self._dice.choice(fitting)

    def _kind(self, flat: Mapping[str, Any], attempt: int) -> str:
        kinds = flat.get("type")
        if kinds is None:
            implied = next((kind for kind, words in IMPLIED if any(word in flat for word in words)), "string")
            return implied if attempt < ATTEMPTS // 2 else ("string", "integer", "object", "null")[attempt % 4]
        said = [kind for kind in kinds if kind != "null"] or list(kinds)
        return str(said[0] if attempt == 0 else self._dice.choice(said if attempt < ATTEMPTS // 2 else list(kinds)))

    def _object(self, flat: Mapping[str, Any], depth: int, attempt: int) -> dict[str, Any]:
        known, required = flat.get("properties", {}), list(flat.get("required", ()))
        for name, needed in flat.get("dependentRequired", {}).items():
            required += needed if name in required else ()
        names = [name for name in known if name in required or self._is_wanted(known[name], depth, attempt)]
        names += [name for name in required if name not in names]
        if attempt % 3 == 0:
            names += [
                other
                for name, needed in flat.get("dependentRequired", {}).items()
                if name in names
                for other in needed
                if other not in names
            ]
        found = {name: self.make(self._property(flat, name), name, depth + 1) for name in names}
        least = flat.get("minProperties", 0)
        if not least and self._is_open(flat, depth):
            least = min(self._dice.randint(1, 3), flat.get("maxProperties", 3))
        for _ in range(ATTEMPTS):
            if len(found) >= least:
                break
            name = self._new_name(flat, attempt)
            if name not in found:
                found[name] = self.make(self._property(flat, name), name, depth + 1)
        return found

    def _is_open(self, flat: Mapping[str, Any], depth: int) -> bool:
        """Tell whether an object has properties of any name: `properties: {}` is how a tool says that it takes none."""
        if "properties" in flat or self._is_enough(depth):
            return False
        more = flat.get("additionalProperties", depth > 0 or "patternProperties" in flat)
        return more is not False

    def _is_wanted(self, schema: Any, depth: int, attempt: int) -> bool:
        """Decide whether an optional property is there: at first all, then some, then none."""
        if schema is False or self._is_enough(depth) or attempt % 3 == 2:
            return False
        if self._height(schema) == math.inf:
            return False
        return attempt % 3 == 0 or self._dice.random() < 0.5

    def _property(self, flat: Mapping[str, Any], name: str) -> Any:
        """Return the schema of a property, by its name."""
        parts = [part for pattern, part in flat.get("patternProperties", {}).items() if matches(pattern, name)]
        if name in flat.get("properties", {}):
            parts.append(flat["properties"][name])
        if not parts:
            return flat.get("additionalProperties", True)
        return parts[0] if len(parts) == 1 else {"allOf": parts}

    def _new_name(self, flat: Mapping[str, Any], attempt: int) -> str:
        if "propertyNames" in flat:
            return str(self.make({"allOf": [{"type": "string"}, flat["propertyNames"]]}, "key", DEPTH))
        patterns = list(flat.get("patternProperties", ()))
        if patterns and (attempt % 2 or flat.get("additionalProperties", True) is False):
            return text_of_pattern(self._dice.choice(patterns), self._dice, attempt)
        return str(self._words.words(1)[0])

    def _array(self, flat: Mapping[str, Any], name: str, depth: int, attempt: int) -> list[Any]:
        first, items = flat.get("prefixItems", []), flat.get("items", True)
        least, most = flat.get("minItems", 0), flat.get("maxItems", math.inf)
        if items is False:
            most = min(most, len(first))
        usual = max(least, len(first) if first else 0 if self._is_enough(depth) else 1)
        size = usual if first or self._is_enough(depth) else self._dice.randint(usual, usual + 2)
        contained = flat.get("contains")
        needed = 0 if contained is None else flat.get("minContains", 1)
        size = min(max(size, needed), most)
        found: list[Any] = []
        for index in range(int(size)):
            schema = first[index] if index < len(first) else items
            begin = 0 if attempt % 2 else len(first)
            if begin <= index < begin + needed:
                schema = {"allOf": [schema, contained]}
            value = self._new_item(schema, name, depth, found if flat.get("uniqueItems") else [])
            if value is _NONE:
                break
            found.append(value)
        return found

    def _new_item(self, schema: Any, name: str, depth: int, others: list[Any]) -> Any:
        """Make an item unlike the others; `_NONE` where there seems to be no other."""
        for _ in range(ATTEMPTS):
            value = self.make(schema, name, depth + 1)
            if not any(same(value, other) for other in others):
                return value
        return _NONE

    def _text(self, flat: Mapping[str, Any], name: str, attempt: int) -> str:
        form = str(flat.get("format", "")).lower()
        formatted = self._words.text_by_format(form)
        # A format without a known shape is only kept by what is made for it.
        if "pattern" in flat and (formatted is None or (form in SHAPES and attempt % 2 == 0)):
            return text_of_pattern(flat["pattern"], self._dice, attempt)
        if formatted is not None:
            return formatted
        least, most = int(flat.get("minLength", 0)), flat.get("maxLength", math.inf)
        text = self._words.text_by_name(name) if attempt < ATTEMPTS // 2 else str(self._words.words(1)[0])
        while len(text) < least:
            text = f"{text} {self._words.words(1)[0]}"
        return text if len(text) <= most else text[: int(most)].rstrip().ljust(least, ".")

    def _number(self, flat: Mapping[str, Any], name: str, attempt: int, *, is_whole: bool) -> float:
        low = max(flat.get("minimum", -math.inf), flat.get("exclusiveMinimum", -math.inf))
        high = min(flat.get("maximum", math.inf), flat.get("exclusiveMaximum", math.inf))
        usual = usual_range(name)
        if usual is not None and attempt < ATTEMPTS // 2 and max(low, usual[0]) <= min(high, usual[1]):
            low, high = max(low, usual[0]), min(high, usual[1])
        width = 100 * max(1, abs(flat.get("multipleOf", 1)))
        if low == -math.inf:
            low = min(0, high - width) if high != math.inf else 0
        high = low + width if high == math.inf else high
        step = flat.get("multipleOf")
        if step is not None:
            times = self._dice.randint(math.ceil(low / step), max(math.ceil(low / step), math.floor(high / step)))
            exact = times * Decimal(str(step))
            return int(exact) if exact == int(exact) else float(exact)
        if is_whole:
            low, high = math.ceil(low), math.floor(high)
            if low > high:
                raise SchemaError("there is no whole number between the bounds")
            # The bounds themselves may be excluded; the check says so, and the next attempt is another number.
            return self._dice.randint(int(low), int(high))
        value: float = self._dice.uniform(low, high)
        return round(value, 2) if attempt < ATTEMPTS // 2 else value


_NONE = object()


def _has_a_choice(schema: Any) -> bool:
    """Whether another attempt may go another way."""
    return isinstance(schema, Mapping) and any(
        word in schema for word in ("anyOf", "oneOf", "allOf", "$ref", "if", "properties", "items", "type")
    )
