"""Calls of the services by the descriptor of the schema, errors as ServerError, and when to try again.

As clients/cpp: UNAVAILABLE is retried, and RESOURCE_EXHAUSTED when the server says how long to wait.
"""

import random
import time
import typing

import grpc

from tokensim import _schema
from tokensim.errors import ServerError, Violation

MAX_MESSAGE_BYTES = 64 << 20
# Those of the C++ client (clients/cpp/connection.cc).
CHANNEL_OPTIONS = (("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.http2.bdp_probe", 0),
                   ("grpc.http2.lookahead_bytes", 1 << 20), ("grpc.keepalive_time_ms", 45_000),
                   ("grpc.keepalive_timeout_ms", 20_000), ("grpc.keepalive_permit_without_calls", 1),
                   # The time an attempt to connect may take.
                   ("grpc.min_reconnect_backoff_ms", 5000), ("grpc.initial_reconnect_backoff_ms", 100),
                   ("grpc.max_reconnect_backoff_ms", 1000))


def calls(channel, service: str) -> typing.Dict[str, typing.Callable]:
    """A callable for each method of a service, by name. Works with channels of grpc and of grpc.aio."""
    descriptor = _schema.pool().FindServiceByName(f"{_schema.PACKAGE}.{service}")
    found = {}
    for method in descriptor.methods:
        make = channel.unary_stream if _streams(method) else channel.unary_unary
        output = method.output_type
        reply = _schema.message(output.name if output.full_name.startswith(_schema.PACKAGE) else output.full_name)
        found[method.name] = make(f"/{descriptor.full_name}/{method.name}",
                                  request_serializer=lambda message: message.SerializeToString(),
                                  response_deserializer=reply.FromString)
    return found


def _streams(method) -> bool:
    from google.protobuf import descriptor_pb2
    proto = descriptor_pb2.MethodDescriptorProto()
    method.CopyToProto(proto)
    return proto.server_streaming


def to_error(error: grpc.RpcError) -> ServerError:
    """With the details that the server attached (docs/errors.md)."""
    code, text = error.code().name, error.details() or ""
    trailers = {item[0]: item[1] for item in error.trailing_metadata() or ()}  # a Metadata of grpc.aio is no dict
    packed = trailers.get("grpc-status-details-bin")
    if packed is None:
        return ServerError(code, "", text)
    info, retry, bad = (_schema.message(f"google.rpc.{name}")() for name in ("ErrorInfo", "RetryInfo", "BadRequest"))
    for detail in _schema.message("google.rpc.Status").FromString(packed).details:
        for message in (info, retry, bad):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    delay = retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None
    violations = [Violation(v.field.removeprefix("spec."), v.description) for v in bad.field_violations]
    return ServerError(code, info.reason, text, violations, dict(info.metadata), delay)


class Backoff:
    """How long to wait before the next attempt of one call; full jitter, up to 2 s on top of what the server asks.

    The waits of one series end `max_wait` seconds after its first failure.
    """

    def __init__(self, max_wait: float):
        self._max_wait = max_wait
        self.reset()

    def reset(self) -> None:
        """An attempt made progress: the next failure begins a new series."""
        self._attempts = 0
        self._first: typing.Optional[float] = None

    def delay(self, error: ServerError) -> float:
        """Seconds. Raises the error when it is final, or the patience is used up."""
        now = time.monotonic()
        if not error.retryable:
            raise error
        if self._first is None:
            self._first = now
        wait = (error.retry_after or 0) + random.uniform(0, min(2.0, 0.05 * 2 ** min(self._attempts, 6)))
        self._attempts += 1
        if now + wait > self._first + self._max_wait:
            raise error
        return wait

    def left(self) -> float:
        """Seconds until the series ends."""
        return max(0.0, (self._first or 0) + self._max_wait - time.monotonic())
