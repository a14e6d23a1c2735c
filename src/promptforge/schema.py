"""A document against a JSON Schema (draft-07), as diagnostics. Owns jsonschema.

Loading jsonschema costs more than a small build, and it is slow on files that are right. So a schema is first turned
into one predicate that only says yes; where it cannot say yes, jsonschema finds what is wrong and where.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from functools import cache
from typing import Any

from promptforge.document import Decimal, Document, Path
from promptforge.source import Diagnostic, Span, did_you_mean

__all__ = ["Schema", "accepts", "bad_reference", "builtin_schema", "check_shape", "check_value", "invalid_schema"]

Accept = Callable[[Any], bool]
Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}
_ANNOTATIONS = frozenset(
    ["$schema", "$id", "$comment", "title", "description", "default", "examples", "x-key", "x-ref", "definitions"]
)
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
    "object": "a mapping",
    "array": "a list",
}


@cache
def builtin_schema(name: str) -> Schema:
    """One of the schemas that ship: project, agent or fewshot."""
    from pkgutil import get_data  # loads a third as much as importlib.resources

    loaded: Schema = json.loads(get_data("promptforge", f"data/schemas/{name}.schema.json") or b"")
    return loaded


@cache
def _accept_builtin(name: str) -> Accept:
    return accepts(builtin_schema(name))


def check_shape(document: Document, name: str) -> tuple[tuple[Diagnostic, ...], frozenset[Path]]:
    """What in a document breaks the schema of its kind of file, and the paths of the parts that do."""
    if _accept_builtin(name)(document.data):
        return (), frozenset()
    if not isinstance(document.data, dict):
        message = f"the file holds {_kind(document.data)}, not a mapping"
        problem = Diagnostic(code="PF203", span=document.span(), message=message, hint="write `key: value` lines")
        return (problem,), frozenset([()])
    paths: set[Path] = set()

    def place(path: Path, key: bool) -> Span:
        paths.add(path)
        return document.span(path, key=key)

    return tuple(_explain(builtin_schema(name), document.data, place)), frozenset(paths)


def check_value(
    schema: Schema, value: object, place: Callable[[Path, bool], Span], code: str = "PF208"
) -> tuple[Diagnostic, ...]:
    """What in a value breaks a schema of the user's; `place(path, key)` says where a part of it stands."""
    return tuple(
        Diagnostic(code=code, span=d.span, message=d.message, hint=d.hint) for d in _explain(schema, value, place)
    )


def invalid_schema(schema: Any) -> str:
    """Why a schema of the user's is not valid draft-07, or nothing."""
    from jsonschema import Draft7Validator, SchemaError

    try:
        Draft7Validator.check_schema(schema)
    except SchemaError as problem:
        where = "/".join(str(step) for step in problem.absolute_path)
        return f"{problem.message}" + (f" (at {where})" if where else "")
    return ""


def bad_reference(schema: Schema) -> str:
    """Why a `$ref` of a schema cannot be followed, or nothing: only definitions of the same file can be."""
    for reference in _references(schema):
        found: Any = schema
        steps = reference.removeprefix("#/").split("/") if reference.startswith("#/") else []
        for step in steps:
            found = found.get(step) if isinstance(found, dict) else None
        if not steps or not isinstance(found, (dict, bool)):
            return f"'$ref: {reference}' is no definition of this file"
        if isinstance(found, dict) and "$ref" in found:
            return f"'$ref: {reference}' leads to another $ref"
    return ""


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


# --- the fast yes ---------------------------------------------------------------------------------------------------


def accepts(schema: Schema) -> Accept:
    """A predicate that is true only for what the schema allows; false also where it cannot tell.

    >>> accepts({"type": "object", "properties": {"port": {"type": "integer"}}})({"port": 8123})
    True
    """
    return _compile(schema, schema)


def _compile(schema: Any, root: Schema) -> Accept:
    if schema is True or schema == {}:
        return lambda value: True
    if not isinstance(schema, dict):
        return lambda value: False
    checks: list[Accept] = []
    for word, argument in schema.items():
        if word in _ANNOTATIONS:
            continue
        maker = _MAKERS.get(word)
        if maker is None:
            return lambda value: False
        check = maker(argument, schema, root)
        if check is not None:
            checks.append(check)
    return checks[0] if len(checks) == 1 else _every(checks)


def _every(checks: Sequence[Accept]) -> Accept:
    # Loops of our own here and below: a generator for each value costs more than the check itself.
    def check(value: Any) -> bool:
        for one in checks:  # noqa: SIM110
            if not one(value):
                return False
        return True

    return check


def _type(argument: Any, schema: Schema, root: Schema) -> Accept:
    names = [argument] if isinstance(argument, str) else argument
    allowed = frozenset(kind for name in names for kind in _TYPES.get(name, ()))
    return lambda value: value.__class__ in allowed


def _properties(argument: Any, schema: Schema, root: Schema) -> Accept:
    known = {name: _compile(inner, root) for name, inner in argument.items()}
    rest = schema.get("additionalProperties", True)
    other = _compile(rest, root)

    def check(value: Any) -> bool:
        if value.__class__ is dict:
            for name, inner in value.items():
                if not known.get(name, other)(inner):
                    return False
        return True

    return check


def _additional(argument: Any, schema: Schema, root: Schema) -> Accept | None:
    return None if "properties" in schema else _properties({}, schema, root)


def _property_names(argument: Any, schema: Schema, root: Schema) -> Accept:
    name_is = _compile(argument, root)
    return lambda value: value.__class__ is not dict or all(map(name_is, value))


def _items(argument: Any, schema: Schema, root: Schema) -> Accept:
    item_is = _compile(argument, root)
    return lambda value: value.__class__ is not list or all(map(item_is, value))


def _any_of(argument: Any, schema: Schema, root: Schema) -> Accept:
    options = [_compile(option, root) for option in argument]

    def check(value: Any) -> bool:
        for option in options:  # noqa: SIM110
            if option(value):
                return True
        return False

    return check


def _pattern(argument: str, schema: Schema, root: Schema) -> Accept:
    search = re.compile(argument).search
    return lambda value: value.__class__ is not str or search(value) is not None


def _required(argument: Any, schema: Schema, root: Schema) -> Accept:
    wanted = frozenset(argument)
    return lambda value: value.__class__ is not dict or value.keys() >= wanted


def _number(test: Callable[[Any, Any], bool]) -> Callable[[Any, Schema, Schema], Accept]:
    def make(argument: Any, schema: Schema, root: Schema) -> Accept:
        return lambda value: value.__class__ not in (int, float, Decimal) or test(value, argument)

    return make


def _length(kind: type[Sized]) -> Callable[[Any, Schema, Schema], Accept]:
    def make(argument: Any, schema: Schema, root: Schema) -> Accept:
        return lambda value: value.__class__ is not kind or len(value) >= argument

    return make


_MAKERS: Mapping[str, Callable[[Any, Schema, Schema], Accept | None]] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "items": _items,
    "anyOf": _any_of,
    "pattern": _pattern,
    "required": _required,
    "enum": lambda argument, schema, root: lambda value: value.__class__ is str and value in argument,
    "const": lambda argument, schema, root: lambda value: value.__class__ is str and value == argument,
    "minimum": _number(lambda value, bound: bool(value >= bound)),
    "maximum": _number(lambda value, bound: bool(value <= bound)),
    "exclusiveMinimum": _number(lambda value, bound: bool(value > bound)),
    "minLength": _length(str),
    "minItems": _length(list),
}


# --- the full answer ------------------------------------------------------------------------------------------------


def _explain(schema: Schema, value: Any, place: Callable[[Path, bool], Span]) -> Iterator[Diagnostic]:
    from jsonschema import Draft7Validator

    for problem in Draft7Validator(schema).iter_errors(value):
        yield from _diagnose(problem, place)


def _diagnose(problem: Any, place: Callable[[Path, bool], Span]) -> Iterator[Diagnostic]:
    path: Path = tuple(problem.absolute_path)
    if "propertyNames" in problem.absolute_schema_path:
        message = f"'{problem.instance}' cannot be used as a name here"
        place_of_it = place((*path, problem.instance), True)
        yield Diagnostic(code="PF203", span=place_of_it, message=message, hint="use letters, digits and _")
        return
    match problem.validator:
        case "additionalProperties":
            yield from _unknown_keys(problem, path, place)
        case "required":
            missing = next(name for name in problem.validator_value if name not in problem.instance)
            for name in problem.validator_value:
                if name not in problem.instance and f"'{name}'" in problem.message:
                    missing = name
            message = f"the key '{missing}' is missing"
            yield Diagnostic(code="PF202", span=place(path, True), message=message, hint=f"add `{missing}: …`")
        case "anyOf":
            yield from _any_of_problem(problem, path, place)
        case _:
            message, hint = _value_problem(problem)
            yield Diagnostic(code="PF203", span=place(path, False), message=message, hint=hint)


def _unknown_keys(problem: Any, path: Path, place: Callable[[Path, bool], Span]) -> Iterator[Diagnostic]:
    known = problem.schema.get("properties", {})
    for name in problem.instance:
        if name not in known:
            yield Diagnostic(
                code="PF201",
                span=place((*path, name), True),
                message=f"unknown key '{name}'",
                hint=did_you_mean(name, known),
            )


def _any_of_problem(problem: Any, path: Path, place: Callable[[Path, bool], Span]) -> Iterator[Diagnostic]:
    """Of several shapes, the one that was meant is the one whose telling key is there."""
    value = problem.instance
    for number, option in enumerate(problem.validator_value):
        telling = option.get("required", [])
        if isinstance(value, dict) and telling and all(name in value for name in telling):
            for inner in problem.context or ():
                if next(iter(inner.relative_schema_path)) == number:
                    yield from _diagnose(inner, place)
            return
    if isinstance(value, list) and any(option.get("type") == "array" for option in problem.validator_value):
        yield from _list_problem(problem, path, place)
        return
    texts = [option for option in problem.validator_value if option.get("type") == "string" and "pattern" in option]
    if isinstance(value, str) and texts:
        name = f"'{path[-1]}'" if path and isinstance(path[-1], str) else "this"
        message, hint = f"{name} cannot be {_show(value)}", texts[0].get("description", "see docs/reference/files.md")
        yield Diagnostic(code="PF203", span=place(path, False), message=message, hint=hint)
        return
    shapes = dict.fromkeys(_shape(option) for option in problem.validator_value)
    name = f"'{path[-1]}'" if path and isinstance(path[-1], str) else "this"
    message = f"{name} cannot be {_show(value)}"
    hint = f"write {' or '.join(shapes)}"
    if "persona" in shapes:
        telling = [key for option in problem.validator_value for key in option.get("required", [])]
        keys = list(value) if isinstance(value, dict) else [str(value)]
        near = next((h for key in keys if (h := did_you_mean(key, telling)).startswith("did you mean")), "")
        message = (
            f"unknown section with the keys {', '.join(keys)}"
            if isinstance(value, dict)
            else f"unknown section {_show(value)}"
        )
        hint = f"{near} ({hint})" if near else hint
    yield Diagnostic(code="PF203", span=place(path, False), message=message, hint=hint)


def _list_problem(problem: Any, path: Path, place: Callable[[Path, bool], Span]) -> Iterator[Diagnostic]:
    """What is wrong with a list where a list may stand: it is empty, or one of its items is of another kind."""
    for number, option in enumerate(problem.validator_value):
        if option.get("type") == "array":
            for inner in problem.context or ():
                if next(iter(inner.relative_schema_path)) == number:
                    yield from _diagnose(inner, place)


def _shape(option: Schema) -> str:
    if "const" in option:
        return str(option["const"])
    if telling := option.get("required"):
        return "{" + f"{telling[0]}: …" + "}"
    if option.get("type") == "array":
        return "a list of " + _shape(option["items"]).removeprefix("a ") + "s"
    kinds = option.get("type", "object")
    return "a single value" if isinstance(kinds, list) else _WORDS.get(kinds, str(kinds))


def _value_problem(problem: Any) -> tuple[str, str]:
    name = problem.absolute_path[-1] if problem.absolute_path else "the file"
    subject = f"item {name + 1}" if isinstance(name, int) else f"'{name}'"
    value, argument = problem.instance, problem.validator_value
    match problem.validator:
        case "type":
            kinds = [argument] if isinstance(argument, str) else list(argument)
            wants = " or ".join(_WORDS.get(kind, kind) for kind in kinds)
            hint = 'put it in quotes: "…"' if kinds == ["string"] and not isinstance(value, (dict, list)) else ""
            if "integer" in kinds and isinstance(value, str):
                hint = "write a plain decimal number without quotes"
            if value is None:
                hint = f"write {wants} after the colon"
            return f"{subject} must be {wants}, not {_kind(value)}", hint or f"write {wants}"
        case "enum":
            hint = did_you_mean(str(value), [str(a) for a in argument])
            return f"{subject} cannot be {_show(value)}", hint
        case "minimum" | "exclusiveMinimum":
            return f"{subject} is {value}, below the least value {argument}", "raise it"
        case "maximum":
            return f"{subject} is {value}, over the greatest value {argument}", "lower it"
        case "minLength" | "minItems":
            if value:
                return f"{subject} has {len(value)} of at least {argument}", "add what is missing"
            return f"{subject} is empty", "write something"
        case "pattern":
            about = problem.schema.get("description", "")
            return f"{subject} cannot be {_show(value)}", about or f"it must match {argument}"
    return f"{subject}: {problem.message}", "see the table's schema"


def _kind(value: object) -> str:
    for name, kinds in _TYPES.items():
        if value.__class__ in kinds:
            return _WORDS[name]
    return type(value).__name__


def _show(value: object) -> str:
    if isinstance(value, (dict, list)):
        return _kind(value)
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 40 else f"'{value[:37]}…'"
    return "nothing" if value is None else f"{str(value).lower() if isinstance(value, bool) else value}"
