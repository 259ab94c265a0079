"""The HTTP door of the real server, by the standard library: calls, streams, downloads, limits."""

import base64
import concurrent.futures
import http.client
import json
import socket
import struct
import unittest
import urllib.parse

from harness import ServerTestCase, TIMEOUT_SECONDS, TestCase
from http_door import (Door, END_STREAM, SIMULATIONS, close, closing, endless_spec,
                       read_all, read_envelope, reason, small_spec)


class HttpTestCase(ServerTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.door = Door(cls.server)

    def create(self, spec):
        return self.door.call("CreateSimulation", {"simulation": {"spec": spec}})["name"]

    def finished(self, spec):
        name = self.create(spec)
        messages, end = self.door.stream("WatchSimulation", {"name": name})
        self.assertEqual((messages[-1]["state"], end), ("SUCCEEDED", {}))
        return name


class UnaryCalls(HttpTestCase):
    def test_a_simulation_from_creation_to_deletion(self):
        name = self.finished(small_spec())
        got = self.door.call("GetSimulation", {"name": name})
        self.assertEqual(got["spec"]["name"], "small")
        report = self.door.call("GetReport", {"name": name})
        self.assertEqual(report["requests"]["total"], "300")
        listed = self.door.call("ListSimulations", {"filter": 'spec.name = "small"'})
        self.assertIn(name, [s["name"] for s in listed["simulations"]])
        self.assertEqual(self.door.call("DeleteSimulation", {"name": name}), {})
        error = self.door.call("GetSimulation", {"name": name}, status=404)
        self.assertEqual((error["code"], reason(error)), ("not_found", "SIMULATION_NOT_FOUND"))

    def test_estimates_and_catalog_and_facts(self):
        estimate = self.door.call("EstimateSimulation", {"spec": small_spec()})
        self.assertEqual(estimate["requests"], "300")
        catalog = self.door.call("GetCatalog", {}, service="tokensim.v1.CatalogService")
        self.assertIn("llama2-7b", json.dumps(catalog))
        info = self.door.call("GetServerInfo", {}, service="tokensim.v1.ServerService")
        self.assertEqual(info["apiVersion"], "v1")

    def test_binary_bodies(self):
        code, headers, body = self.door.request(
            "POST", "/tokensim.v1.ServerService/GetServerInfo", b"",
            {"Content-Type": "application/proto"})
        self.assertEqual((code, headers["Content-Type"]), (200, "application/proto"))
        self.assertIn(b"v1", body)
        # An error is JSON all the same.
        code, headers, body = self.door.request(
            "POST", f"/{SIMULATIONS}/GetSimulation", b"\xff\xff", {"Content-Type": "application/proto"})
        self.assertEqual((code, headers["Content-Type"]), (400, "application/json"))
        self.assertEqual(json.loads(body)["code"], "invalid_argument")

    def test_methods_without_side_effects_by_get(self):
        name = self.create(small_spec(10))
        path = f"/{SIMULATIONS}/GetSimulation?"
        message = json.dumps({"name": name})
        queries = [{"connect": "v1", "encoding": "json", "message": message},
                   {"message": base64.urlsafe_b64encode(message.encode()).decode(), "base64": "1",
                    "encoding": "json", "x": "ignored"}]
        for query in queries:
            code, _, body = self.door.request("GET", path + urllib.parse.urlencode(query))
            self.assertEqual((code, json.loads(body)["name"]), (200, name))
        for query in ({"encoding": "json"}, {"message": "{}"}, {"message": "{}", "encoding": "x"},
                      {"message": "?", "encoding": "proto", "base64": "1"},
                      {"message": message, "encoding": "json", "connect": "v2"}):
            code, _, body = self.door.request("GET", path + urllib.parse.urlencode(query))
            self.assertEqual((code, json.loads(body)["code"]), (400, "invalid_argument"))
        code, headers, _ = self.door.request("GET", f"/{SIMULATIONS}/DeleteSimulation?message={{}}")
        self.assertEqual((code, headers["Allow"]), (405, "POST"))

    def test_bad_calls(self):
        path = f"/{SIMULATIONS}/GetSimulation"
        json_type = {"Content-Type": "application/json"}
        cases = [  # path, body, headers, status, code
            (f"/{SIMULATIONS}/Nothing", b"{}", json_type, 404, "unimplemented"),
            ("/tokensim.v1.Nothing/GetSimulation", b"{}", json_type, 404, "unimplemented"),
            (path, b"{", json_type, 400, "invalid_argument"),
            (path, b'{"nmae": "x"}', json_type, 400, "invalid_argument"),
            (path, b"{}", {**json_type, "Connect-Protocol-Version": "2"}, 400, "invalid_argument"),
            (path, b"{}", {**json_type, "Connect-Timeout-Ms": "1s"}, 400, "invalid_argument"),
            (path, b"{}", {**json_type, "Connect-Timeout-Ms": "12345678901"}, 400, "invalid_argument"),
            (path, b"{}", {**json_type, "Connect-Timeout-Ms": "0"}, 504, "deadline_exceeded"),
            (path, b"{}", {**json_type, "Content-Encoding": "gzip"}, 501, "unimplemented"),
        ]
        for target, body, headers, status, code in cases:
            got, _, reply = self.door.request("POST", target, body, headers)
            self.assertEqual((got, json.loads(reply)["code"]), (status, code), (target, body, headers))
        for content_type in ("text/plain", "application/connect+json", "application/x-www-form-urlencoded"):
            got, headers, _ = self.door.request("POST", path, b"{}", {"Content-Type": content_type})
            self.assertEqual(got, 415)
            self.assertIn("application/json", headers["Accept-Post"])
        self.assertEqual(self.door.request("PUT", path, b"{}", json_type)[0], 405)
        self.assertEqual(self.door.request("POST", "/elsewhere", b"{}", json_type)[0], 405)
        self.assertEqual(self.door.request("GET", "/elsewhere.css")[0], 404)

    def test_errors_name_the_field(self):
        spec = small_spec()
        spec["workload"]["numRequests"] = "-1"
        error = self.door.call("CreateSimulation", {"simulation": {"spec": spec}}, status=400)
        self.assertEqual(reason(error), "SPEC_INVALID")
        violations = [detail["debug"] for detail in error["details"]
                      if detail["type"] == "google.rpc.BadRequest"]
        self.assertIn("spec.workload.num_requests", json.dumps(violations))

    def test_calls_are_counted_as_those_by_grpc(self):
        def counted():
            metrics = self.server.http("/metrics")[1]
            return sum(float(line.split()[-1]) for line in metrics.splitlines()
                       if line.startswith("grpc_server_handled_total") and
                       'grpc_code="NotFound"' in line and "CancelSimulation" in line)
        before = counted()
        self.door.call("CancelSimulation", {"name": "tenants/default/simulations/none"}, status=404)
        self.assertEqual(counted(), before + 1)
        self.assertIn('tokensim_http_answers_total{code="4xx"}', self.server.http("/metrics")[1])


class Streams(HttpTestCase):
    def events(self, name, **options):
        messages, end = self.door.stream("StreamEvents", {"name": name, **options})
        return [event for batch in messages for event in batch.get("events", [])], end

    def test_delivers_every_event_and_resumes_exactly(self):
        name = self.finished(small_spec())
        events, end = self.events(name)
        self.assertEqual(end, {})
        self.assertEqual([int(event["sequence"]) for event in events], list(range(1, len(events) + 1)))
        self.assertIn("simulationEnded", events[-1])
        joined, after = [], 0
        while not joined or "simulationEnded" not in joined[-1]:
            batches, _ = self.door.stream(
                "StreamEvents", {"name": name, "afterSequence": str(after),
                                 "delivery": {"maxBatchBytes": 8192}}, limit=3)
            joined += [event for batch in batches for event in batch.get("events", [])]
            after = batches[-1]["coveredThrough"]
        self.assertEqual(joined, events)

    def test_errors_are_the_end_of_the_stream(self):
        name = self.create(small_spec(10))
        for message, code in [({"name": "x"}, "invalid_argument"),
                              ({"name": "tenants/default/simulations/none"}, "not_found"),
                              ({"name": name, "afterSequence": "-1"}, "invalid_argument"),
                              ({"name": name, "afterSequence": "1000000"}, "out_of_range"),
                              ({"nmae": name}, "invalid_argument")]:
            messages, end = self.door.stream("StreamEvents", message)
            self.assertEqual(end["error"]["code"], code, message)
            self.assertEqual([b for b in messages if b.get("events")], [])

    def test_bad_envelopes(self):
        payload = b'{"name":"x"}'
        one = struct.pack(">BI", 0, len(payload)) + payload
        for body, code in [(b"", "unimplemented"), (one + one, "unimplemented"),
                           (b"\x01" + one[1:], "internal"), (one[:-1], "invalid_argument"),
                           (payload, "invalid_argument")]:
            status, _, reply = self.door.request(
                "POST", f"/{SIMULATIONS}/StreamEvents", body,
                {"Content-Type": "application/connect+json"})
            self.assertEqual((status, reply[0]), (200, END_STREAM))
            self.assertEqual(json.loads(reply[5:])["error"]["code"], code, body)

    def test_a_deadline_ends_a_stream(self):
        name = self.create(endless_spec())
        messages, end = self.door.stream("WatchSimulation", {"name": name},
                                         headers={"Connect-Timeout-Ms": "300"})
        self.assertTrue(messages)
        self.assertEqual(end["error"]["code"], "deadline_exceeded")
        self.door.call("DeleteSimulation", {"name": name, "force": True})

    def test_a_client_that_goes_leaves_nothing_behind(self):
        name = self.create(endless_spec())
        opened = [self.door.open_stream(method, {"name": name})
                  for method in ("StreamEvents", "WatchSimulation") for _ in range(4)]
        for reply in opened:
            read_envelope(reply)
        for reply in opened:
            close(reply)
        self.wait_until(lambda: 'tokensim_streams{kind="events"} 0' in self.server.http("/metrics")[1],
                        "the streams are given up")
        self.wait_until(lambda: 'tokensim_streams{kind="watch"} 0' in self.server.http("/metrics")[1],
                        "the watches are given up")
        self.door.call("DeleteSimulation", {"name": name, "force": True})


class Downloads(HttpTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = cls.door.call("CreateSimulation", {"simulation": {"spec": small_spec()}})["name"]
        cls.door.stream("WatchSimulation", {"name": cls.name})
        cls.folder = "/v1/simulations/" + cls.name.split("/")[-1]

    def get(self, path, status=200):
        code, headers, body = self.door.request("GET", path)
        self.assertEqual(code, status, body)
        return headers, body

    def test_events_are_those_of_the_command_line(self):
        headers, body = self.get(f"/v1/{self.name}/events.jsonl")
        self.assertEqual(headers["Content-Type"], "application/jsonl")
        self.assertIn("-events.jsonl", headers["Content-Disposition"])
        self.assertEqual(body.decode(), self.remote("events", self.name).stdout)
        _, part = self.get(f"{self.folder}/events.jsonl?after=10&until=90&kinds=first_token,iteration")
        self.assertEqual(part.decode(), self.remote("events", self.name, "--after", "10", "--until", "90",
                                                    "--kinds", "first_token,iteration").stdout)

    def test_requests_are_those_of_the_command_line_in_another_order(self):
        for name, flags in (("requests.csv", []), ("requests.jsonl", ["-o", "json"])):
            _, body = self.get(f"{self.folder}/{name}")
            expected = self.remote("requests", self.name, *flags).stdout
            self.assertEqual(sorted(body.decode().splitlines()), sorted(expected.splitlines()))
        self.assertTrue(self.get(f"{self.folder}/requests.csv")[1].startswith(b"request_id,"))

    def test_the_trace_is_that_of_the_command_line(self):
        self.remote("trace", self.name, "-o", "run.pftrace")
        self.assertEqual(self.get(f"{self.folder}/trace.pftrace")[1],
                         (self.dir / "run.pftrace").read_bytes())

    def test_the_report_is_that_of_the_command_line(self):
        report = json.loads(self.get(f"{self.folder}/report.json")[1])
        self.assertEqual(report, json.loads(self.remote("report", self.name, "-o", "json").stdout))

    def test_the_schema(self):
        _, body = self.get("/v1/descriptor.pb")
        for message in (b"StreamEventsRequest", b"Timestamp", b"GetServerInfo"):
            self.assertIn(message, body)

    def test_errors(self):
        for path in ("/v1/", "/v1/nothing", "/v1/simulations/x", f"{self.folder}/events.csv",
                     f"{self.folder}/", "/v1/tenants/A/simulations/x/report.json",
                     "/v1/simulations/none/events.jsonl", "/v1/simulations/none/report.json"):
            self.assertEqual(json.loads(self.get(path, 404)[1])["code"], "not_found", path)
        error = json.loads(self.get(f"{self.folder}/events.jsonl?aftr=5", 400)[1])
        self.assertTrue(error["message"].startswith("aftr: "))
        error = json.loads(self.get(f"{self.folder}/events.jsonl?after=100000000", 400)[1])
        self.assertEqual(reason(error), "CURSOR_OUT_OF_RANGE")
        status, headers, _ = self.door.request("POST", f"{self.folder}/report.json", b"")
        self.assertEqual((status, headers["Allow"]), (405, "GET"))

    def test_what_is_not_read_is_not_computed(self):
        name = self.create(endless_spec())
        with socket.create_connection(("127.0.0.1", self.door.port), TIMEOUT_SECONDS) as client:
            client.sendall(f"GET /v1/{name}/events.jsonl HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))
            self.wait_until(lambda: 'tokensim_streams{kind="events"} 1' in
                            self.server.http("/metrics")[1], "the stream is open")
        self.wait_until(lambda: 'tokensim_streams{kind="events"} 0' in self.server.http("/metrics")[1],
                        "the stream is given up")
        self.door.call("DeleteSimulation", {"name": name, "force": True})


class Limits(TestCase):
    def start(self, *flags):
        server = self.start_server(flags=flags)
        return server, Door(server)

    def test_requests_that_trickle_are_cut(self):
        server, door = self.start("--http-request-timeout", "0.5")
        with socket.create_connection(("127.0.0.1", server.http_port), TIMEOUT_SECONDS) as client:
            client.sendall(b"GET / HT")
            self.assertTrue(read_all(client).startswith(b"HTTP/1.1 408 "))
        slow = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(50)]
        for client in slow:
            client.sendall(b"POST /x HTTP/1.1\r\n")
        self.assertEqual(door.request("GET", "/")[0], 200)  # nobody waits for them
        for client in slow:
            client.close()

    def test_what_is_too_large_is_refused(self):
        _, door = self.start()
        reply = door.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 20000 + b"\r\n\r\n")
        self.assertTrue(reply.startswith(b"HTTP/1.1 431 "))
        reply = door.raw(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8388609\r\n\r\n")
        self.assertTrue(reply.startswith(b"HTTP/1.1 413 "))

    def test_too_many_connections(self):
        server, door = self.start("--http-max-connections", "3")
        held = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(3)]
        self.wait_until(lambda: "tokensim_http_connections 3" in server.http("/metrics")[1],
                        "the connections are counted")
        self.assertEqual(door.request("GET", "/")[0], 503)
        for client in held:
            client.close()
        self.wait_until(lambda: door.request("GET", "/")[0] == 200, "places are given back")

    def test_only_this_machine_by_name(self):
        _, door = self.start("--http-allow-host", "lab.example")
        for host, status in [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:8080", 200),
                             ("lab.example", 200), ("evil.example", 421),
                             ("127.0.0.1.evil.example", 421)]:
            self.assertEqual(door.request("GET", "/", headers={"Host": host})[0], status, host)

    def test_other_origins_only_by_name(self):
        _, door = self.start("--http-allow-origin", "https://lab.example")
        path = "/tokensim.v1.ServerService/GetServerInfo"
        def preflight(origin):
            return door.request("OPTIONS", path, headers={
                "Origin": origin, "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,connect-protocol-version"})
        status, headers, _ = preflight("https://lab.example")
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (204, "https://lab.example"))
        self.assertIn("Connect-Protocol-Version", headers["Access-Control-Allow-Headers"])
        status, headers, _ = preflight("https://evil.example")
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (405, None))
        status, headers, _ = door.request("POST", path, b"{}", {
            "Content-Type": "application/json", "Origin": "https://lab.example"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"], headers["Vary"]),
                         (200, "https://lab.example", "Origin"))

    def test_off(self):
        server, _ = self.start("--http", "off")
        self.assertEqual(server.http_port, 0)

    def test_pages_of_a_folder(self):
        web = self.dir / "web"
        (web / "assets").mkdir(parents=True)
        (web / "index.html").write_text("<p>dashboard</p>")
        (web / "assets/index-0a1B2c3D.js").write_text("let a;")
        self.write("secret.txt", "secret")
        _, door = self.start("--web-dir", str(web))
        for path in ("/", "/simulations/x"):
            status, headers, body = door.request("GET", path)
            self.assertEqual((status, body), (200, b"<p>dashboard</p>"))
            self.assertIn("default-src 'self'", headers["Content-Security-Policy"])
        status, headers, body = door.request("GET", "/assets/index-0a1B2c3D.js")
        self.assertEqual((status, body), (200, b"let a;"))
        self.assertIn("immutable", headers["Cache-Control"])
        etag = {"If-None-Match": headers["ETag"]}
        self.assertEqual(door.request("GET", "/assets/index-0a1B2c3D.js", headers=etag)[0], 304)
        self.assertEqual(door.request("HEAD", "/")[2], b"")
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
            self.assertEqual(door.request("GET", path)[0], 400, path)


class Overload(TestCase):
    def test_stalled_readers_are_ended_and_delay_nobody(self):
        server = self.start_server(flags=("--stream-stall-timeout", "0.5"))
        door = Door(server)
        name = door.call("CreateSimulation", {"simulation": {"spec": endless_spec()}})["name"]
        stalled = [door.open_stream("StreamEvents", {"name": name}) for _ in range(3)]
        other = door.call("CreateSimulation", {"simulation": {"spec": small_spec()}})["name"]
        _, end = door.stream("StreamEvents", {"name": other})
        self.assertEqual(end, {})
        self.wait_until(lambda: "tokensim_stream_stalls_total 3" in server.http("/metrics")[1],
                        "the stalled readers are ended")
        for reply in stalled:
            with closing(reply):
                self.assertRaises((http.client.IncompleteRead, ConnectionError), reply.read)

    def test_too_many_streams_are_refused(self):
        server = self.start_server(flags=("--max-event-streams", "2"))
        door = Door(server)
        name = door.call("CreateSimulation", {"simulation": {"spec": endless_spec()}})["name"]
        held = [door.open_stream("StreamEvents", {"name": name}) for _ in range(2)]
        for reply in held:
            read_envelope(reply)
        _, end = door.stream("StreamEvents", {"name": name})
        self.assertEqual((end["error"]["code"], reason(end["error"])),
                         ("resource_exhausted", "SERVER_OVERLOADED"))
        for reply in held:
            close(reply)

    def test_shutdown_ends_streams_with_a_reason(self):
        server = self.start_server()
        door = Door(server)
        name = door.call("CreateSimulation", {"simulation": {"spec": endless_spec()}})["name"]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            ends = [pool.submit(door.stream, method, {"name": name})
                    for method in ("StreamEvents", "WatchSimulation") for _ in range(3)]
            for kind in ("events", "watch"):
                self.wait_until(lambda k=kind: f'tokensim_streams{{kind="{k}"}} 3' in
                                server.http("/metrics")[1], "the streams are open")
            self.assertEqual(server.stop(), 0)
            for end in ends:
                error = end.result()[1]["error"]
                self.assertEqual((error["code"], reason(error)), ("unavailable", "SERVER_DRAINING"))


if __name__ == "__main__":
    unittest.main()
