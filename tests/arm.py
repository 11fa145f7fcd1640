"""Deploys a template on paper: evaluates its expressions, expands its copies and resolves what refers to what.

Knows the functions that our templates use, and no others: a function that is not here is an error, as is a parameter or
variable that is not declared, or not used, or a resource that is referred to and neither deployed nor said to be there.

References
----------
https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax and .../template-functions
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/soc"
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[()\[\].,]))")
_TEMPLATE_KEYS = {"$schema", "contentVersion", "metadata", "parameters", "variables", "resources", "outputs"}
_PARAMETER_KEYS = {"type", "defaultValue", "allowedValues", "minLength", "maxLength", "metadata"}
_RESOURCE_KEYS = {
    *("type", "apiVersion", "name", "location", "kind", "scope", "tags", "condition", "copy", "dependsOn", "properties")
}
_SCHEMA = r"https://schema\.management\.azure\.com/schemas/[\d-]+/deploymentTemplate\.json#"
_TYPES = {"string": str, "array": list, "bool": bool, "int": int, "object": dict}


class TemplateError(AssertionError):
    """What the service would refuse."""


def tokens(expression: str) -> list[str]:
    """The tokens of an expression without its brackets."""
    found, at = [], 0
    while at < len(expression.rstrip()):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise TemplateError(f"cannot read {expression[at:]!r}")
        found.append(match[0].strip())
        at = match.end()
    return found


@dataclass
class Deployment:
    """One template with its parameters; `resources` is what it would make, by resource id."""

    template: Mapping[str, Any]
    given: Mapping[str, Any]
    external: frozenset[str] = frozenset()
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    _referred: set[str] = field(default_factory=set)
    _copy_index: int | None = None
    _lambda: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Deploy, or raise with what is wrong."""
        self._check_keys()
        self._check_given()
        waits: dict[str, list[str]] = {}
        loops: dict[str, list[str]] = {}
        for declared in self.template["resources"]:
            for resource in self._copies(declared):
                key = resource["id"]
                if key in self.resources:
                    raise TemplateError(f"{key} is deployed twice")
                waits[key] = resource.pop("dependsOn", [])
                if "copy" in declared:
                    loops.setdefault(declared["copy"]["name"], []).append(key)
                self.resources[key] = resource
            if "copy" in declared:
                loops.setdefault(declared["copy"]["name"], [])
        for name, output in self.template.get("outputs", {}).items():
            self.outputs[name] = (
                list(self._repeated(output["copy"])) if "copy" in output else self.evaluate(output["value"])
            )
        self._check_references(waits, loops)
        self._check_use()

    @property
    def _variables(self) -> Mapping[str, Any]:
        return self.template.get("variables", {})

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The resources of one type, as they would be made."""
        return [resource for resource in self.resources.values() if resource["type"] == kind]

    def _check_keys(self) -> None:
        if not re.fullmatch(_SCHEMA, self.template["$schema"]):
            raise TemplateError("$schema")
        if not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", self.template["contentVersion"]):
            raise TemplateError("contentVersion")
        strange = set(self.template) - _TEMPLATE_KEYS
        strange |= {
            key for parameter in self.template["parameters"].values() for key in set(parameter) - _PARAMETER_KEYS
        }
        strange |= {key for resource in self.template["resources"] for key in set(resource) - _RESOURCE_KEYS}
        if strange:
            raise TemplateError(f"unknown keys: {sorted(strange)}")
        for resource in self.template["resources"]:
            if not re.fullmatch(r"\d{4}-\d\d-\d\d(-preview)?", resource["apiVersion"]):
                raise TemplateError(f"{resource['type']}: api version {resource['apiVersion']}")

    def _check_given(self) -> None:
        declared = self.template["parameters"]
        if set(self.given) - set(declared):
            raise TemplateError(f"unknown parameters: {sorted(set(self.given) - set(declared))}")
        for name, parameter in declared.items():
            if name not in self.given and "defaultValue" not in parameter:
                raise TemplateError(f"parameter {name} is required")
            value = self.given.get(name, parameter.get("defaultValue"))
            if not isinstance(value, _TYPES[parameter["type"]]):
                raise TemplateError(f"parameter {name} is no {parameter['type']}")
            if value not in parameter.get("allowedValues", [value]):
                raise TemplateError(f"parameter {name}: {value!r} is not allowed")

    def _check_use(self) -> None:
        said = json.dumps(self.template)
        for kind in ("parameters", "variables"):
            spare = [name for name in self.template.get(kind, {}) if f"{kind}('{name}')" not in said]
            if spare:
                raise TemplateError(f"{kind} declared and not used: {spare}")

    def _copies(self, declared: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        count = self.evaluate(declared["copy"]["count"]) if "copy" in declared else None
        for index in range(1 if count is None else count):
            self._copy_index = None if count is None else index
            if self.evaluate(declared.get("condition", True)):
                resource = {
                    key: self.evaluate(value) for key, value in declared.items() if key not in ("copy", "condition")
                }
                scope = f"/providers/{resource['scope']}" if "scope" in resource else ""
                yield resource | {"id": f"{GROUP}{scope}{_path(resource['type'], resource['name'])}"}
        self._copy_index = None

    def _repeated(self, copy: Mapping[str, Any]) -> Iterator[Any]:
        for index in range(self.evaluate(copy["count"])):
            self._copy_index = index
            yield self.evaluate(copy["input"])
        self._copy_index = None

    def _check_references(self, waits: Mapping[str, list[str]], loops: Mapping[str, list[str]]) -> None:
        for key, before in waits.items():
            for other in before:
                if other not in self.resources and other not in loops and not self._is_left_out(other):
                    raise TemplateError(f"{key} waits for {other}, which is not deployed")
        there = {*self.resources, *self.external}
        missing = {key for key in self._referred - there if not self._is_left_out(key)}
        if missing:
            raise TemplateError(f"referred to and neither deployed nor there: {sorted(missing)}")

    def _is_left_out(self, key: str) -> bool:
        """Whether it is a resource of the template whose condition does not hold."""
        provider, *parts = key.rsplit("/providers/", maxsplit=1)[-1].split("/")
        kind = "/".join([provider, *parts[::2]])
        return any(r["type"] == kind and "condition" in r for r in self.template["resources"])

    def evaluate(self, value: Any) -> Any:
        """A value of the template with every expression in it replaced by what it gives."""
        if isinstance(value, Mapping):
            made = {key: self.evaluate(inner) for key, inner in value.items() if key != "copy"}
            return made | {copy["name"]: list(self._repeated(copy)) for copy in value.get("copy", ())}
        if isinstance(value, list):
            return [self.evaluate(inner) for inner in value]
        if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
            return value  # as "[0, 1): a share" is, which begins with a bracket and does not end with one
        if value.startswith("[["):
            return value[1:]
        rest = tokens(value[1:-1])
        result = self._expression(rest)()
        if rest:
            raise TemplateError(f"left over: {rest} of {value}")
        return result

    def _expression(self, rest: list[str]) -> Callable[[], Any]:
        """Take one expression from the front of `rest`; it is computed when called, for a lambda's body comes later."""
        first = rest.pop(0)
        if first.startswith("'"):
            return lambda: first[1:-1].replace("''", "'")
        if first.isdecimal():
            return lambda: int(first)
        if not first[0].isalpha() or not rest or rest.pop(0) != "(":
            raise TemplateError(f"no function: {first}")
        arguments: list[Callable[[], Any]] = []
        while rest[0] != ")":
            arguments.append(self._expression(rest))
            if rest[0] == ",":
                rest.pop(0)
        rest.pop(0)
        value: Callable[[], Any] = lambda: self._call(first, arguments)  # noqa: E731
        while rest and rest[0] in (".", "["):
            value = self._member(value, rest)
        return value

    def _member(self, value: Callable[[], Any], rest: list[str]) -> Callable[[], Any]:
        if rest.pop(0) == ".":
            name = rest.pop(0)
            return lambda: _get(value(), name)
        index = self._expression(rest)
        if rest.pop(0) != "]":
            raise TemplateError("an index does not end")
        return lambda: _get(value(), index())

    def _call(self, name: str, arguments: list[Callable[[], Any]]) -> Any:
        if name == "lambda":
            *names, body = arguments
            return [given() for given in names], body
        values = [argument() for argument in arguments]
        function = getattr(self, f"_f_{name}", None)
        if function is None:
            raise TemplateError(f"unknown function {name}")
        return function(*values)

    def _f_parameters(self, name: str) -> Any:
        if name not in self.template["parameters"]:
            raise TemplateError(f"parameter {name} is not declared")
        return self.evaluate(self.given.get(name, self.template["parameters"][name].get("defaultValue")))

    def _f_variables(self, name: str) -> Any:
        if name not in self._variables:
            raise TemplateError(f"variable {name} is not declared")
        return self.evaluate(self._variables[name])

    def _f_copyIndex(self, _name: str = "") -> int:
        if self._copy_index is None:
            raise TemplateError("copyIndex outside a copy")
        return self._copy_index

    def _f_resourceId(self, kind: str, *names: str) -> str:
        found = f"{GROUP}{_path(kind, '/'.join(names))}"
        self._referred.add(found)
        return found

    def _f_subscriptionResourceId(self, kind: str, *names: str) -> str:
        return f"{GROUP.split('/resourceGroups', maxsplit=1)[0]}{_path(kind, '/'.join(names))}"

    def _f_reference(self, key: str, version: str) -> Any:
        if key not in self.resources or self.resources[key]["apiVersion"] != version:
            raise TemplateError(f"{key} is not deployed with {version}")
        return _Runtime(key)

    def _f_resourceGroup(self) -> dict[str, str]:
        return {"id": GROUP, "location": "westeurope"}

    def _f_lambdaVariables(self, name: str) -> Any:
        return self._lambda[name]

    def _f_map(self, items: list[Any], rule: tuple[list[str], Callable[[], Any]]) -> list[Any]:
        (name,), body = rule
        mapped = []
        for item in items:
            self._lambda[name] = item
            mapped.append(body())
        return mapped

    _f_concat = staticmethod(lambda *parts: "".join(parts) if isinstance(parts[0], str) else list(chain(*parts)))
    _f_format = staticmethod(lambda text, *parts: text.format(*parts))
    _f_guid = staticmethod(lambda *parts: str(uuid.uuid5(uuid.NAMESPACE_URL, "-".join(parts))))
    _f_not = staticmethod(lambda value: not value)
    _f_empty = staticmethod(lambda value: not value)
    _f_length = staticmethod(len)
    _f_toLower = staticmethod(str.lower)
    _f_createArray = staticmethod(lambda *items: list(items))
    _f_endsWith = staticmethod(str.endswith)
    _f_json = staticmethod(json.loads)
    _f_trim = staticmethod(str.strip)
    _f_if = staticmethod(lambda condition, then, otherwise: then if condition else otherwise)
    _f_replace = staticmethod(lambda text, old, new: text.replace(old, new))
    _f_union = staticmethod(lambda *lists: list(dict.fromkeys(item for one in lists for item in one)))

    @staticmethod
    def _f_createObject(*pairs: Any) -> dict[str, Any]:
        return dict(zip(pairs[::2], pairs[1::2], strict=True))


@dataclass(frozen=True)
class _Runtime:
    """What only the service knows of a resource: any property, as text."""

    path: str


def _get(value: Any, key: str | int) -> Any:
    if isinstance(value, _Runtime):
        return _Runtime(f"{value.path}.{key}")
    try:
        return value[key]
    except (KeyError, IndexError, TypeError) as error:
        raise TemplateError(f"no {key!r} in {value!r:.80}") from error


def _path(kind: str, name: str) -> str:
    """The end of a resource's id: the parts of its type and of its name in turn."""
    provider, *types = kind.split("/")
    names = name.split("/")
    if len(types) != len(names):
        raise TemplateError(f"{kind} has {len(types)} parts, its name {name!r} {len(names)}")
    return "/providers/" + "/".join([provider, *(part for pair in zip(types, names, strict=True) for part in pair)])
