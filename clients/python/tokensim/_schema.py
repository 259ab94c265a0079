"""The messages of proto/tokensim/v1, made from the descriptor of the schema: there is no generated code.

    report = schema.message("Report")(); schema.message("Spec").DESCRIPTOR.fields

An installed package carries the descriptor (setup.py copies it); in the tree it is proto/tokensim_v1.descriptor.pb,
which the tests of the tree keep up to date.
"""

import functools
import json
import pathlib

from google.protobuf import (any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, empty_pb2,
                             message_factory, text_format, timestamp_pb2)

PACKAGE = "tokensim.v1"

# google/rpc, as far as errors need it: the descriptor of the schema is without imports.
_RPC = """
file { name: "google/rpc/status.proto" package: "google.rpc" syntax: "proto3"
  dependency: "google/protobuf/any.proto"
  message_type { name: "Status"
    field { name: "code" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "message" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "details" number: 3 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".google.protobuf.Any" } } }
file { name: "google/rpc/error_details.proto" package: "google.rpc" syntax: "proto3"
  dependency: "google/protobuf/duration.proto"
  message_type { name: "RetryInfo"
    field { name: "retry_delay" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
            type_name: ".google.protobuf.Duration" } }
  message_type { name: "ErrorInfo"
    field { name: "reason" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "domain" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "metadata" number: 3 type: TYPE_MESSAGE label: LABEL_REPEATED
            type_name: ".google.rpc.ErrorInfo.MetadataEntry" }
    nested_type { name: "MetadataEntry" options { map_entry: true }
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } } }
  message_type { name: "BadRequest"
    field { name: "field_violations" number: 1 type: TYPE_MESSAGE label: LABEL_REPEATED
            type_name: ".google.rpc.BadRequest.FieldViolation" }
    nested_type { name: "FieldViolation"
      field { name: "field" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "description" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } } } }
"""


def _schema_file():
    here = pathlib.Path(__file__).resolve()
    for path in (here.with_name("schema.pb"), here.parents[3] / "proto/tokensim_v1.descriptor.pb"):
        if path.is_file():
            return path
    raise ImportError("the schema of TokenSim is missing: neither schema.pb beside this package nor "
                      "proto/tokensim_v1.descriptor.pb of its source tree")


@functools.lru_cache(maxsize=None)
def pool():
    """A pool of our own: other packages may have their own google.rpc in the default one."""
    files = descriptor_pb2.FileDescriptorSet()
    for known in (any_pb2, duration_pb2, empty_pb2, timestamp_pb2):
        known.DESCRIPTOR.CopyToProto(files.file.add())
    text_format.Merge(_RPC, files)
    files.MergeFromString(_schema_file().read_bytes())
    result = descriptor_pool.DescriptorPool()
    # Every file after those it imports.
    left = {file.name: file for file in files.file}
    while left:
        for name in [n for n, f in left.items() if not any(d in left for d in f.dependency)]:
            result.AddSerializedFile(left.pop(name).SerializeToString())
    return result


@functools.lru_cache(maxsize=None)
def _factory():
    return message_factory.MessageFactory(pool())


@functools.lru_cache(maxsize=None)
def message(name):
    """The class of a message: `Report` of tokensim.v1, or a full name as `google.rpc.ErrorInfo`."""
    full = name if name.startswith("google.") else f"{PACKAGE}.{name}"
    descriptor = pool().FindMessageTypeByName(full)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return _factory().GetPrototype(descriptor)


@functools.lru_cache(maxsize=None)
def _readers(descriptor):
    """How the JSON of each field that is not what a constructor takes is made so."""
    readers = {}
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            raise NotImplementedError(f"{field.full_name}: maps")
        if field.message_type is not None:
            one = functools.partial(_from_json, _readers(field.message_type))
        elif field.enum_type is not None:
            one = functools.partial(enum_number, field.enum_type)
        elif field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64):
            one = int  # text in JSON
        elif field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
            one = float  # NaN is text
        else:
            one = None
        many = field.label == field.LABEL_REPEATED
        if many and one is not None:
            readers[field.name] = lambda values, one=one: [one(v) for v in values]
        else:
            readers[field.name] = one
    return readers


def _from_json(readers, values):
    fields = {}
    for name, value in values.items():
        if name in readers:
            read = readers[name]
            fields[name] = value if read is None else read(value)
    return fields


def from_json(name, text):
    """A message from its JSON as `tokensim` prints it; fields that it does not have are left out.

    Ten times as fast as json_format.Parse, which matters for reports and events. Reports, events, estimates; nothing
    with timestamps or maps.
    """
    cls = message(name)
    return cls(**_from_json(_readers(cls.DESCRIPTOR), json.loads(text)))


def enum_value(enum, value):
    """The number of a value, with or without its prefix, in any case: `bf16` of DataType."""
    descriptor = pool().FindEnumTypeByName(f"{PACKAGE}.{enum}")
    return enum_number(descriptor, value)


def enum_prefix(descriptor):
    """DATA_TYPE_ of DataType: what all names begin with; empty when they have no prefix."""
    first = descriptor.values_by_number[0].name
    return first[:-len("UNSPECIFIED")] if first.endswith("UNSPECIFIED") else ""


def enum_number(descriptor, value):
    """As enum_value. ValueError names what there is."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value in descriptor.values_by_number:
            return value
    else:
        text = str(value).upper()
        for name in (text, enum_prefix(descriptor) + text):
            if name in descriptor.values_by_name:
                return descriptor.values_by_name[name].number
    prefix = enum_prefix(descriptor)
    known = [n[len(prefix):].lower() if n.startswith(prefix) else n
             for n in descriptor.values_by_name if not n.endswith("UNSPECIFIED")]
    raise ValueError(f"'{value}' is none of {', '.join(known)}")
