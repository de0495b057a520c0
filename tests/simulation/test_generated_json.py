"""Values made for JSON Schemas: valid by a validator that is not ours, the same for the same seed, and they end."""

import json
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import AnyUrl, AwareDatetime, BaseModel, ConfigDict, Field, IPvAnyAddress

from llmtest.simulation.script._generated_json import value_of
from llmtest.simulation.script._generated_words import Words
from llmtest.simulation.script._schema import SchemaError, is_valid

FORMATS = Draft202012Validator.FORMAT_CHECKER
CHECKED = sorted(set(FORMATS.checkers) - {"iri", "iri-reference"})
"""Formats that are checked; those of IRIs are made as those of URIs are, and take seconds to check."""


def make(schema, seed=0):
    """Make a value."""
    return value_of(schema, Words(seed))


def is_accepted(schema, value):
    """Tell what a validator says that is not ours, formats included."""
    return Draft202012Validator(schema, format_checker=FORMATS).is_valid(value)


TREE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "left": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["value", "left", "children"],
        }
    },
    "$ref": "#/$defs/Node",
}
EVEN_OR_THIRD = {"oneOf": [{"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 3}]}
CONDITION = {
    "type": "object",
    "properties": {"kind": {"enum": ["a", "b"]}},
    "required": ["kind"],
    "if": {"properties": {"kind": {"const": "a"}}},
    "then": {"properties": {"x": {"type": "integer"}}, "required": ["x"]},
    "else": {"properties": {"y": {"type": "string"}}, "required": ["y"]},
}
MERGED = {
    "allOf": [
        {"type": "object", "properties": {"a": {"type": "number", "minimum": 0}}, "required": ["a"]},
        {"properties": {"a": {"type": "integer", "minimum": 50, "maximum": 60}, "b": {"const": 1}}, "required": ["b"]},
    ]
}
SCHEMAS = {
    "anything": {},
    "true": True,
    "object": {"type": "object"},
    "map": {"type": "object", "additionalProperties": {"type": "number"}},
    "closed": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
    "optional": {"type": "object", "properties": {"a": {"type": "string"}}, "maxProperties": 0},
    "least-properties": {"type": "object", "minProperties": 3},
    "named-by-pattern": {
        "type": "object",
        "patternProperties": {"^x-[a-z]{2}$": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "property-names": {"type": "object", "propertyNames": {"pattern": "^[A-Z]{2}$"}, "minProperties": 2},
    "dependent": {
        "type": "object",
        "properties": {"card": {"type": "string"}, "address": {"type": "string"}},
        "dependentRequired": {"card": ["address", "holder"]},
    },
    "dependent-schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "dependentSchemas": {"a": {"required": ["b"]}},
    },
    "required-of-anything": {"type": "object", "required": ["it"]},
    "tree": TREE,
    "list-of-itself": {"type": "array", "items": {"$ref": "#"}},
    "pointer": {
        "properties": {"a/b": {"type": "integer"}, "c": {"$ref": "#/properties/a~1b"}},
        "required": ["c"],
    },
    "pattern": {"type": "string", "pattern": r"^[A-Z]{3}-\d{4,6}(\.[a-z]+)?$"},
    "pattern-long": {"type": "string", "pattern": "^[a-z]+$", "minLength": 20, "maxLength": 30},
    "pattern-groups": {"type": "string", "pattern": r"^(ab|cd)\1[^x-z]\s\S\w\W\D.$"},
    "pattern-inside": {"type": "string", "pattern": "needle"},
    "pattern-ahead": {"type": "string", "pattern": r"^(?=.*\d)[a-z\d]{4}$"},
    "length": {"type": "string", "minLength": 5, "maxLength": 5},
    "long": {"type": "string", "minLength": 500},
    "empty": {"type": "string", "maxLength": 0},
    "nullable": {"type": ["string", "null"]},
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "constant": {"const": {"a": [1, None]}},
    "enum-and-type": {"enum": ["a", 1, 2.5, None], "type": ["integer", "null"]},
    "narrow": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    "above": {"type": "integer", "exclusiveMinimum": 10**9},
    "below": {"type": "number", "maximum": -5000},
    "between": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3},
    "tenths": {"type": "number", "multipleOf": 0.1, "minimum": 3, "maximum": 4},
    "steps": {"type": "integer", "multipleOf": 7, "minimum": 10},
    "one-of": EVEN_OR_THIRD,
    "any-of-beside": {"type": "integer", "anyOf": [{"minimum": 90}, {"maximum": -90}]},
    "not": {"not": {"type": "string"}},
    "not-these": {"type": "integer", "minimum": 1, "maximum": 3, "not": {"enum": [1, 3]}},
    "condition": CONDITION,
    "all-of": MERGED,
    "unique": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    "contains": {"type": "array", "items": {"type": "integer"}, "contains": {"const": 7}},
    "contains-two": {"type": "array", "contains": {"type": "null"}, "minContains": 2, "maxContains": 2},
    "implied-array": {"items": {"type": "boolean"}, "minItems": 1},
    "implied-number": {"minimum": 5, "maximum": 6},
    **{f"format-{name}": {"type": "string", "format": name} for name in CHECKED},
    "one-format-of-two": {"oneOf": [{"type": "string", "format": name} for name in ("date", "date-time")]},
    "format-and-length": {"type": "string", "format": "email", "maxLength": 18},
    "format-of-nobody": {"type": "string", "format": "shoe-size"},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_value_is_valid_by_a_validator_that_is_not_ours(name):
    """For each kind of schema, whatever the seed, the value made for it is valid, formats included."""
    schema = SCHEMAS[name]
    for seed in range(20):
        value = make(schema, seed)
        assert is_accepted(schema, value), value
        assert json.loads(json.dumps(value)) == value


def test_the_same_seed_makes_the_same_value_and_another_makes_another():
    """A value depends on the schema and the seed alone."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "at": {"type": "string", "format": "date"}}}
    assert make(schema, 7) == make(schema, 7)
    assert len({json.dumps(make(schema, seed)) for seed in range(20)}) == 20


@pytest.mark.parametrize(
    ("schema", "is_empty"),
    [
        ({"type": "object", "properties": {}}, True),
        ({"type": "object"}, True),
        ({"type": "object", "properties": {}, "required": []}, True),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, False),
        ({"type": "object", "additionalProperties": True}, False),
        ({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}, False),
        ({"type": "object", "properties": {}, "minProperties": 1}, False),
    ],
    ids=str,
)
def test_a_tool_that_takes_nothing_is_given_nothing(schema, is_empty):
    """Names are made up where a schema wants some; a function without parameters would fail on any."""
    assert all((make(schema, seed) == {}) == is_empty for seed in range(9))


def test_what_is_no_schema_says_nothing():
    """A property whose schema is a text, as SDKs have it in their samples, gets any value."""
    made = make({"type": "object", "properties": {"place": "bar"}, "required": ["place"]})
    assert list(made) == ["place"]


def test_what_refers_to_itself_ends_and_stays_small():
    """A tree has some depth, and ends; nobody gets a megabyte for a recursive schema."""
    sizes = [len(json.dumps(make(TREE, seed))) for seed in range(20)]
    assert max(sizes) < 5_000
    assert any(make(TREE, seed)["children"] for seed in range(20))


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        pytest.param(False, "nothing is valid against the schema `false`", id="false"),
        pytest.param({"$ref": "#/$defs/Gone"}, "`$ref` '#/$defs/Gone' points to nothing in the schema", id="gone"),
        pytest.param({"$ref": "other.json"}, "`$ref` 'other.json' points outside the schema", id="outside"),
        pytest.param({"type": "text"}, "there is no type `text`", id="type"),
        pytest.param({"type": "string", "pattern": "(["}, "the pattern '([' cannot be read", id="pattern"),
        pytest.param(
            {"type": "object", "properties": {"self": {"$ref": "#"}}, "required": ["self"]},
            "a value would never end: the schema requires itself",
            id="endless",
        ),
        pytest.param(
            {"allOf": [{"type": "string"}, {"type": "null"}]}, "a value cannot be string and null", id="types"
        ),
        pytest.param(
            {"allOf": [{"format": "date"}, {"format": "time"}]},
            "in the formats `date` and `time` at once",
            id="formats",
        ),
        pytest.param({"enum": [1], "type": "string"}, "none of the values in an `enum` is valid", id="enum"),
        pytest.param({"type": "integer", "minimum": 0.1, "maximum": 0.9}, "no whole number between", id="no-integer"),
        pytest.param(
            {"type": "object", "properties": {"n": {"type": "array", "items": {"const": 1}, "minItems": 2}}}
            | {"required": ["n"], "patternProperties": {"n": {"uniqueItems": True}}},
            "no value was found for the schema at `n`: its keywords may contradict each other",
            id="contradiction",
        ),
    ],
)
def test_a_schema_without_a_value_is_said_to_have_none(schema, text):
    """What cannot be read, or has no value, is an error that says why; never an invalid value."""
    with pytest.raises(SchemaError) as caught:
        make(schema)
    assert text in str(caught.value)


class Mood(StrEnum):
    """A choice."""

    GOOD = "good"
    BAD = "bad"


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"]
    tricks: set[str] = set()


class Person(BaseModel):
    """A model with most of what models have."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=40)
    age: int = Field(ge=0, le=150)
    home: AnyUrl
    born: AwareDatetime
    address: IPvAnyAddress
    mood: Mood
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    scores: dict[str, float]
    position: tuple[float, float]
    code: Annotated[str, Field(pattern=r"^[A-Z]{2}\d{3}$")]
    boss: "Person | None" = None
    friends: list["Person"] = []


def test_models_of_pydantic_accept_what_is_made_for_them():
    """Discriminated unions, enums, tuples, urls, patterns and a model that refers to itself."""
    schema = Person.model_json_schema()
    for seed in range(30):
        made = make(schema, seed)
        assert is_accepted(schema, made)
        assert Person.model_validate_json(json.dumps(made)).name


def test_e05_values_look_like_what_their_names_say():
    """A name is a name, a price a price: Faker by format and by the name of the property."""
    names = ("first_name", "userEmail", "homeURL", "created_date", "age", "unitPrice", "rating", "confidence")
    kinds = dict.fromkeys(names, "string") | dict.fromkeys(names[4:6], "integer") | dict.fromkeys(names[6:], "number")
    schema = {"type": "object", "properties": {name: {"type": kind} for name, kind in kinds.items()}}
    for seed in range(20):
        made = make(schema, seed)
        assert made["first_name"].istitle()
        assert "@example." in made["userEmail"]
        assert made["homeURL"].startswith("https://www.example.com/")
        assert made["created_date"][:2] == "20"
        assert 18 <= made["age"] <= 90
        assert 1 <= made["unitPrice"] <= 1000
        assert 1 <= made["rating"] <= 5
        assert 0 <= made["confidence"] <= 1


SCALARS = st.one_of(
    st.builds(
        lambda low, width: {"type": "integer", "minimum": low, "maximum": low + width}, st.integers(), st.integers(0)
    ),
    st.builds(
        lambda low, width: {"type": "number", "minimum": low, "exclusiveMaximum": low + width},
        st.integers(-(10**6), 10**6),
        st.floats(0.001, 10**6),
    ),
    st.builds(
        lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    st.sampled_from([{"type": "string", "format": name} for name in CHECKED]),
    st.sampled_from(
        [{"type": "string", "pattern": text} for text in ("^[a-f0-9]{8}$", "^(yes|no)$", r"^\+?\d+$", "x")]
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {}, True]),
    st.builds(
        lambda values: {"enum": values}, st.lists(st.none() | st.booleans() | st.integers() | st.text(), min_size=1)
    ),
)
NAMES = st.sampled_from(["id", "name", "email", "count", "items", "x", "createdAt", "ümläut", "a b"])


@st.composite
def objects(draw, parts):
    """Make the schema of an object."""
    known = draw(st.dictionaries(NAMES, parts, max_size=4))
    schema = {"type": "object", "properties": known, "required": draw(st.lists(NAMES, unique=True, max_size=3))}
    if draw(st.booleans()) and set(schema["required"]) <= set(known):
        schema["additionalProperties"] = False
    return schema


def composed(parts):
    """Make schemas of schemas, none of which contradicts itself."""
    return st.one_of(
        objects(parts),
        st.builds(
            lambda part, least, more: {"type": "array", "items": part, "minItems": least, "maxItems": least + more},
            parts,
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda part: {"$defs": {"It": part}, "allOf": [part]}, parts),
    )


COMPOSED = st.recursive(SCALARS, composed, max_leaves=8)


@given(COMPOSED, st.integers(0, 2**32))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_e05_any_schema_that_has_a_value_gets_a_valid_one(schema, seed):
    """Whatever the schema is made of, its value is valid, and the same when it is made again."""
    value = make(schema, seed)
    assert is_accepted(schema, value)
    assert make(schema, seed) == value


@given(st.lists(COMPOSED, min_size=2, max_size=3), st.sampled_from(["allOf", "oneOf", "not"]), st.integers(0, 2**32))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_e05_schemas_that_may_contradict_each_other_get_a_valid_value_or_an_error(parts, word, seed):
    """Joined at random, schemas have a value or not; an invalid one never comes out, formats being remarks here."""
    schema = {word: parts} if word != "not" else {"allOf": parts[:1], "not": parts[1]}
    try:
        value = make(schema, seed)
    except SchemaError:
        return
    assert Draft202012Validator(schema).is_valid(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 2.0])
    | st.sampled_from(["", "a", "ab", "abc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=5,
)
COUNTS = st.integers(0, 3)
WORDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
        | st.lists(st.sampled_from(["object", "string", "integer", "number"]), min_size=1, max_size=2, unique=True),
        "const": JSON,
        "enum": st.lists(JSON, min_size=1, max_size=3),
        "minimum": COUNTS,
        "exclusiveMaximum": COUNTS,
        "maximum": COUNTS,
        "exclusiveMinimum": COUNTS,
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "minLength": COUNTS,
        "maxLength": COUNTS,
        "pattern": st.sampled_from(["^a", "b$"]),
        "minItems": COUNTS,
        "maxItems": COUNTS,
        "uniqueItems": st.booleans(),
        "minProperties": COUNTS,
        "maxProperties": COUNTS,
        "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
        "dependentRequired": st.just({"a": ["b"]}),
    },
)


def holding(parts):
    """Make schemas that hold schemas."""
    lists = st.lists(parts, min_size=1, max_size=2)
    named = st.dictionaries(st.sampled_from(["a", "b"]), parts, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "allOf": lists,
            "anyOf": lists,
            "oneOf": lists,
            "not": parts,
            "if": parts,
            "then": parts,
            "else": parts,
            "items": parts,
            "prefixItems": lists,
            "contains": parts,
            "minContains": COUNTS,
            "maxContains": COUNTS,
            "properties": named,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "c"]), parts, max_size=2),
            "additionalProperties": parts,
            "propertyNames": parts,
            "dependentSchemas": named,
        },
    )


@given(st.recursive(WORDS | st.booleans(), holding, max_leaves=6), JSON)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_our_check_says_what_a_validator_says_that_is_not_ours(schema, value):
    """By every keyword and any mixture of them, a value is valid here where it is valid there."""
    assert is_valid(schema, value, schema) == Draft202012Validator(schema).is_valid(value)
