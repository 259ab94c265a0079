"""A client of the HTTP port of a server, by the standard library, and specs for it."""

import contextlib
import http.client
import json
import socket
import struct

from harness import TIMEOUT_SECONDS

SIMULATIONS = "tokensim.v1.SimulationService"
END_STREAM = 2


def small_spec(requests=300):
    return {
        "name": "small", "model": {"preset": "llama2-7b"},
        "workers": [{"name": "gpu", "count": 2, "hardware": {"preset": "a100-80g"},
                     "memory": {"kvBlocks": "200"}}],
        "workload": {"numRequests": str(requests),
                     "arrival": {"poisson": {"ratePerSecond": 20}},
                     "lengths": {"independent": {"input": {"uniform": {"min": 1, "max": 400}},
                                                 "output": {"uniform": {"min": 1, "max": 300}}}}},
    }


def endless_spec():
    return {
        "name": "long", "model": {"preset": "llama2-7b"},
        "workers": [{"hardware": {"preset": "a100-80g"},
                     "compute": {"affine": {"iterationSeconds": 0.01}}}],
        "localScheduler": {"maxNumSeqs": 1},
        "workload": {"numRequests": "1000000", "arrival": {"constant": {"ratePerSecond": 0.01}},
                     "lengths": {"independent": {"input": {"fixed": 10},
                                                 "output": {"fixed": 4000}}}},
        "output": {"snapshotIntervalSeconds": 0},
    }


class Door:
    """A client of the HTTP port of a server."""

    def __init__(self, server):
        self.port = server.http_port

    def request(self, method, path, body=None, headers=None):
        """Status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()

    def call(self, method, message, service=SIMULATIONS, status=200, headers=None):
        code, _, body = self.request("POST", f"/{service}/{method}", json.dumps(message),
                                     {"Content-Type": "application/json", **(headers or {})})
        assert code == status, (code, body)
        return json.loads(body)

    def open_stream(self, method, message, headers=None):
        """A reply whose envelopes are still to be read; it alone holds the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        payload = json.dumps(message).encode()
        connection.request("POST", f"/{SIMULATIONS}/{method}",
                           struct.pack(">BI", 0, len(payload)) + payload,
                           {"Content-Type": "application/connect+json",
                            "Connect-Protocol-Version": "1", **(headers or {})})
        reply = connection.getresponse()
        assert reply.status == 200, (reply.status, reply.read())
        assert reply.headers["Content-Type"] == "application/connect+json"
        reply.connection = connection
        return reply

    def stream(self, method, message, limit=None, headers=None):
        """The messages and the end of a stream; the end is None when it was left after `limit`."""
        messages = []
        with closing(self.open_stream(method, message, headers)) as reply:
            while limit is None or len(messages) < limit:
                flags, message = read_envelope(reply)
                if flags == END_STREAM:
                    assert reply.read() == b""
                    return messages, message
                messages.append(message)
        return messages, None

    def raw(self, data):
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_SECONDS) as client:
            client.sendall(data)
            return read_all(client)


def close(reply):
    reply.close()
    reply.connection.close()


@contextlib.contextmanager
def closing(reply):
    try:
        yield reply
    finally:
        close(reply)


def read_envelope(reply):
    head = reply.read(5)
    assert len(head) == 5, head
    flags, length = struct.unpack(">BI", head)
    return flags, json.loads(reply.read(length))


def read_all(client):
    out = b""
    while part := client.recv(65536):
        out += part
    return out


def reason(error):
    """The reason of an error's ErrorInfo."""
    return next(detail["debug"]["reason"] for detail in error["details"]
                if detail["type"] == "google.rpc.ErrorInfo")
