"""Specifications, however they are written, as the message that a server takes and the text that the command reads.

A spec is a dict, a path of a YAML or JSON file, YAML text (a string of several lines), something from
`tokensim.spec`, or a Spec message. Units and short forms are those of files (docs/spec.md).
"""

import collections.abc
import copy
import difflib
import functools
import json
import os
import pathlib
import re
import typing

import yaml
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tokensim import _schema, quantity
from tokensim.errors import NotFound, SpecInvalid, UsageError, Violation

Spec = typing.Union[collections.abc.Mapping, str, os.PathLike, Message]

# Fields that name files, which whoever sends a spec must read.
_FILE_FIELDS = (("workload", "trace", "path"), ("compute", "profile", "path"), ("calibration", "path"),
                ("model", "config"))


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
    """Every value is its text, as the schema's reader takes it; only null has a meaning of its own."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_constructor("tag:yaml.org,2002:null", lambda loader, node: None)


def is_path(spec: Spec) -> bool:
    return isinstance(spec, os.PathLike) or (isinstance(spec, str) and "\n" not in spec)


def load(spec: Spec) -> dict:
    """As a dict of its own, in the spelling of files. SpecInvalid when it is no mapping."""
    if isinstance(spec, Message):
        return json_format.MessageToDict(spec, preserving_proto_field_name=True)
    if isinstance(spec, collections.abc.Mapping):
        return copy.deepcopy(_plain(spec))
    text = str(spec)
    if is_path(spec):
        try:
            text = pathlib.Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise NotFound(f"{spec}: {error.strerror}") from error
    try:
        read = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise SpecInvalid(f"no YAML: {error}") from error
    if not isinstance(read, dict):
        raise SpecInvalid("expected fields (name: value)")
    return read


def _plain(value):
    """Without builders and other mappings."""
    if isinstance(value, collections.abc.Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def to_text(spec: Spec) -> str:
    """JSON, which `tokensim` reads as the YAML it is."""
    return json.dumps(load(spec), allow_nan=False)


def names_files(spec: collections.abc.Mapping) -> bool:
    """Whether it names a file to be read: a trace, a profile, a calibration, a model's config."""
    def walk(value, path):
        if isinstance(value, dict):
            return any(walk(v, path + (k,)) for k, v in value.items() if v is not None)
        if isinstance(value, list):
            return any(walk(v, path) for v in value)
        return any(path[-len(field):] == field for field in _FILE_FIELDS)
    return walk(spec, ())


def to_message(spec: Spec) -> Message:
    """The Spec message. SpecInvalid with every mistake of spelling: what makes no sense is the server's to say.

    Files that the spec names are not read: `Client` has `tokensim` do that.
    """
    if isinstance(spec, Message):
        return spec
    message = _schema.message("Spec")()
    violations: typing.List[Violation] = []
    _Reader(violations).fields(load(spec), message, "")
    if violations:
        raise SpecInvalid("\n".join(f"{v.field}: {v.description}" for v in violations), violations)
    return message


def check(values: collections.abc.Mapping, message: str, violations: typing.List[Violation]) -> None:
    """Adds what is wrong with fields of a message, as `WorkerGroup`."""
    _Reader(violations).fields(_plain(values), _schema.message(message)(), "")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class _Reader:
    """What engine/io/yaml does with a file."""

    def __init__(self, violations: typing.List[Violation]):
        self._violations = violations

    def _error(self, path: str, description: str) -> None:
        self._violations.append(Violation(path, description))

    def fields(self, values: collections.abc.Mapping, message: Message, path: str) -> None:
        fields = message.DESCRIPTOR.fields_by_name
        members: typing.Dict[str, str] = {}
        for name, value in values.items():
            field = fields.get(name)
            if field is None:
                near = difflib.get_close_matches(str(name), fields, 1)
                self._error(path, f"unknown field '{name}'" + (f"; did you mean {near[0]}?" if near else
                                                               f"; fields are {', '.join(fields)}"))
                continue
            oneof = field.containing_oneof
            if oneof is not None and len(oneof.fields) > 1:
                first = members.setdefault(oneof.name, name)
                if first != name:
                    self._error(_join(path, first), f"{first} and {name} exclude each other; give one of them")
                    continue
            self._field(field, value, message, _join(path, name))

    def _field(self, field, value, message: Message, path: str) -> None:
        if value is None:
            unset = message.DESCRIPTOR.fields_by_name.get("unset")
            if unset is not None and unset is not field:
                message.unset.append(field.name)
            elif field.message_type is not None and field.label != FieldDescriptor.LABEL_REPEATED:
                getattr(message, field.name).SetInParent()
            return
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            self._map(field, value, message, path)
        elif field.label == FieldDescriptor.LABEL_REPEATED:
            if not isinstance(value, (list, tuple)):
                self._error(path, "expected a list")
                return
            for i, element in enumerate(value):
                self._element(field, element, message, f"{path}[{i}]")
        elif field.message_type is not None:
            self._message(value, getattr(message, field.name), path)
        else:
            self._scalar(field, value, path, lambda v: setattr(message, field.name, v))

    def _map(self, field, value, message: Message, path: str) -> None:
        if not isinstance(value, collections.abc.Mapping):
            self._error(path, "expected a mapping (key: value)")
            return
        entry = field.message_type.fields_by_name["value"]
        for key, one in value.items():
            values = getattr(message, field.name)
            self._scalar(entry, one, f"{path}['{key}']", functools.partial(values.__setitem__, str(key)))

    def _element(self, field, value, message: Message, path: str) -> None:
        values = getattr(message, field.name)
        if field.message_type is not None:
            self._message(value, values.add(), path)
        else:
            self._scalar(field, value, path, values.append)

    def _message(self, value, message: Message, path: str) -> None:
        message.SetInParent()
        if isinstance(value, collections.abc.Mapping):
            self.fields(value, message, path)
            return
        first = message.DESCRIPTOR.fields_by_number.get(1)
        short = (first is not None and first.type == FieldDescriptor.TYPE_STRING
                 and first.label != FieldDescriptor.LABEL_REPEATED)
        if value is not None and (not short or isinstance(value, (list, tuple))):
            names = ", ".join(f.name for f in message.DESCRIPTOR.fields)
            self._error(path, f"expected fields ({names}), got {value!r}")
        elif value is not None:
            setattr(message, first.name, str(value))

    def _scalar(self, field, value, path: str, store: typing.Callable[[typing.Any], None]) -> None:
        try:
            store(_convert(field, value))
        except (ValueError, TypeError) as error:
            self._error(path, str(error))


_BOOLS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _convert(field, value):
    if isinstance(value, (list, tuple, collections.abc.Mapping)):
        raise ValueError(f"expected a value, got {value!r}")
    if field.enum_type is not None:
        return _schema.enum_number(field.enum_type, value)
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        known = value if isinstance(value, bool) else _BOOLS.get(str(value).lower())
        if known is None:
            raise ValueError(f"expected true or false, got '{value}'")
        return known
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return quantity.real(value, field.name)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return str(value)
    return quantity.whole(value, field.name)


_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def change(spec: Spec, changes: typing.Mapping[str, typing.Any]) -> dict:
    """A copy of the spec with fields set: `change(spec, {"workers.gpu.count": 4, "slo.ttft_seconds": "1s"})`.

    Elements of lists are counted from 0 or, where they have names, called by them. What a path leads through is
    created; a preset written as a word becomes its message; of alternatives the new one replaces the old. Values
    relative to the old one (`x2`) are for the command: local.run takes them.
    """
    result = load(spec)
    for path, value in changes.items():
        steps = [name or int(index) for name, index in _STEP.findall(path)]
        if not steps:
            raise UsageError(f"'{path}' is no path of a field")
        _set(result, _schema.message("Spec").DESCRIPTOR, steps, value, path)
    return result


def _set(here: typing.Any, descriptor, steps: typing.Sequence[typing.Union[str, int]], value: typing.Any,
         path: str) -> None:
    """Sets a field below a message or a list of messages; `descriptor` None: the schema does not know it."""
    step, rest = steps[0], steps[1:]
    if isinstance(here, list):
        step = _index(here, step, path)
        below = here[step]
    else:
        field = descriptor.fields_by_name.get(step) if descriptor is not None else None
        if field is not None:
            _drop_alternatives(here, field)
        descriptor = field.message_type if field is not None else None
        below = here.get(step)
    if not rest:
        here[step] = _plain(value)
        return
    if isinstance(below, str) and descriptor is not None:
        below = {descriptor.fields_by_number[1].name: below}
    if below is None:
        below = {}
    if not isinstance(below, (dict, list)):
        raise UsageError(f"{path}: {step} is {below!r}, which has no fields")
    here[step] = below
    _set(below, descriptor, rest, value, path)


def _drop_alternatives(here: dict, field) -> None:
    """What cannot stand beside a field: other members of its oneof, and a preset of lengths."""
    oneof = field.containing_oneof
    alternatives = [f.name for f in oneof.fields] if oneof is not None else []
    if field.containing_type.name == "Lengths" and (alternatives or field.name == "preset"):
        alternatives = ["preset", *(f.name for f in field.containing_type.oneofs_by_name["source"].fields)]
    for name in alternatives:
        if name != field.name:
            here.pop(name, None)


def _index(values: list, step: typing.Union[str, int], path: str) -> int:
    if isinstance(step, int):
        if step < len(values):
            return step
    else:
        for i, value in enumerate(values):
            if isinstance(value, dict) and value.get("name") == step:
                return i
    names = [v["name"] for v in values if isinstance(v, dict) and "name" in v]
    raise UsageError(f"{path}: there is no '{step}' among {len(values)}" + (f": {', '.join(names)}" if names else ""))
