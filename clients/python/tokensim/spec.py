"""Specs as objects: a class for each message of the schema, which knows its fields and says at once what is wrong.

    from tokensim.spec import Arrival, PoissonArrival, Slo, Spec, WorkerGroup, Workload
    spec = Spec(model="llama2-7b",
                workers=[WorkerGroup(name="gpu", hardware="a100-80g", count=2)],
                workload=Workload(num_requests=2000, lengths="sharegpt",
                                  arrival=Arrival(poisson=PoissonArrival(rate_per_second=8))),
                slo=Slo(ttft_seconds="500ms"))
    spec.workers[0].count = 4
    tokensim.local.run(spec)

Values are those of files (docs/spec.md): numbers, texts with units, presets by name, plain dicts and lists. Each object
is a dict, so `json.dumps(spec)` is a spec, too. The fields, their units and defaults: proto/tokensim/v1/spec.proto;
`help(WorkerGroup)` lists them.
"""

import difflib
import inspect
import typing

from google.protobuf.descriptor import FieldDescriptor

from tokensim import _schema, specs
from tokensim.errors import SpecInvalid, Violation


class Node(dict):
    """A message. `Node(text)` sets its first field, as a preset: `Hardware("h100")`."""

    _descriptor: typing.ClassVar[typing.Any]

    def __init__(self, short: typing.Union[None, str, typing.Mapping[str, typing.Any]] = None, **fields: typing.Any):
        if isinstance(short, str):
            fields = {self._descriptor.fields_by_number[1].name: short, **fields}
        elif short is not None:
            fields = {**short, **fields}
        super().__init__()
        for name, value in fields.items():
            self[name] = value

    def __setitem__(self, name: str, value: typing.Any) -> None:
        if name not in self._descriptor.fields_by_name:
            raise SpecInvalid(f"{type(self).__name__} has no field '{name}'{self._hint(name)}",
                              [Violation(name, "unknown field")])
        violations: typing.List[Violation] = []
        specs.check({name: value}, self._descriptor.name, violations)
        if violations:
            raise SpecInvalid("\n".join(f"{type(self).__name__}.{v.field}: {v.description}" for v in violations),
                              violations)
        super().__setitem__(name, value)

    def update(self, *others: typing.Any, **fields: typing.Any) -> None:
        for name, value in dict(*others, **fields).items():
            self[name] = value

    @classmethod
    def _hint(cls, name: str) -> str:
        near = difflib.get_close_matches(name, cls._descriptor.fields_by_name, 1)
        return f"; did you mean {near[0]}?" if near else f": it has {', '.join(cls._descriptor.fields_by_name)}"

    def __getattr__(self, name: str) -> typing.Any:
        if name.startswith("__") or name not in self._descriptor.fields_by_name:
            raise AttributeError(f"{type(self).__name__} has no field '{name}'{self._hint(name)}")
        return self.get(name)

    def __setattr__(self, name: str, value: typing.Any) -> None:
        self[name] = value

    def __dir__(self) -> typing.List[str]:
        return [*super().__dir__(), *self._descriptor.fields_by_name]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.items())})"


_TYPES = {FieldDescriptor.CPPTYPE_BOOL: "bool", FieldDescriptor.CPPTYPE_DOUBLE: "number",
          FieldDescriptor.CPPTYPE_FLOAT: "number", FieldDescriptor.CPPTYPE_STRING: "str"}


def _type_text(field) -> str:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return "dict"
    if field.message_type is not None:
        one = field.message_type.name
    elif field.enum_type is not None:
        prefix = _schema.enum_prefix(field.enum_type)
        one = " | ".join(repr(v.name[len(prefix):].lower()) for v in field.enum_type.values if v.number)
    else:
        one = _TYPES.get(field.cpp_type, "int")
    return f"list of {one}" if field.label == FieldDescriptor.LABEL_REPEATED else one


def _make(descriptor) -> type:
    fields = [(field.name, _type_text(field)) for field in descriptor.fields]
    doc = f"Message {descriptor.full_name}. Fields:\n\n" + "\n".join(f"    {n}: {t}" for n, t in fields)
    made = type(descriptor.name, (Node,), {"_descriptor": descriptor, "__doc__": doc, "__module__": __name__})
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=text)
                  for name, text in fields]
    made.__signature__ = inspect.Signature(parameters)
    return made


def _reachable(descriptor, found: typing.Dict[str, typing.Any]) -> typing.Dict[str, typing.Any]:
    found[descriptor.name] = descriptor
    for field in descriptor.fields:
        below = field.message_type
        if below is not None and not below.GetOptions().map_entry and below.name not in found:
            _reachable(below, found)
    return found


_DESCRIPTORS = _reachable(_schema.message("Spec").DESCRIPTOR, {})
globals().update({name: _make(descriptor) for name, descriptor in _DESCRIPTORS.items()})
__all__ = sorted(_DESCRIPTORS)
