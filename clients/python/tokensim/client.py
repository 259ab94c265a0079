"""A client of tokensimd.

    client = tokensim.Client("127.0.0.1:50051")
    result = client.run("spec.yaml", progress=True)
    handle = client.submit(spec, labels={"team": "infra"})
    for event in handle.events("request_finished"): ...

Calls are tried again while the server is away or busy, up to `max_wait` seconds; streams resume by themselves where
they stopped. Any thread may use a client.
"""

import collections
import itertools
import os
import time
import typing
import uuid

import grpc

from tokensim import _schema, local, progress as progress_bars, specs
from tokensim.connection import CHANNEL_OPTIONS, Backoff, calls, to_error
from tokensim.errors import RunFailed, ServerError, SpecInvalid
from tokensim.results import REQUEST_COLUMNS, Replay, Result, record_row
from tokensim.table import Table

_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
OnProgress = typing.Callable[[typing.Any], None]


def state_name(simulation) -> str:
    """PENDING, RUNNING, CANCELLING, SUCCEEDED, FAILED or CANCELLED."""
    return simulation.DESCRIPTOR.enum_types_by_name["State"].values_by_number[simulation.state].name


def has_ended(simulation) -> bool:
    return state_name(simulation) in _ENDED


def full_name(name: str) -> str:
    """`nightly-17` is short for `tenants/default/simulations/nightly-17`."""
    return name if "/" in name else f"tenants/default/simulations/{name}"


def make_spec(spec: specs.Spec, changes: local.Changes = None, cwd: typing.Optional[str] = None):
    """The Spec message to send. One that names files (a trace, a profile) is read by the command `tokensim`, which
    puts their contents into it; so are changes relative to a value (`x2`)."""
    loaded = spec if not isinstance(spec, (str, os.PathLike)) or "\n" in str(spec) else specs.load(spec)
    relative = any(isinstance(v, str) and v[:1] in ("x", "/") for v in (changes or {}).values())
    if relative or (not isinstance(loaded, specs.Message) and specs.names_files(specs.load(loaded))):
        return local.validate(spec, changes, cwd=cwd).resolved_spec
    return specs.to_message(specs.change(loaded, changes) if changes else loaded)


def create_request(spec, id: typing.Optional[str], labels: typing.Optional[typing.Mapping[str, str]]):
    request = _schema.message("CreateSimulationRequest")(simulation_id=id or "", request_id=str(uuid.uuid4()))
    request.simulation.spec.CopyFrom(spec)
    request.simulation.labels.update(labels or {})
    return request


def events_request(name: str, kinds: typing.Sequence[str], after: int, until: int, workers: typing.Sequence[int],
                   requests: typing.Sequence[int], sample: float):
    request = _schema.message("StreamEventsRequest")(name=full_name(name), after_sequence=after, until_sequence=until)
    request.filter.kinds.extend(_schema.enum_value("EventKind", kind) for kind in kinds)
    request.filter.workers.extend(workers)
    request.filter.requests.ids.extend(requests)
    request.filter.requests.sample_fraction = sample
    request.delivery.max_batch_bytes = 1 << 20
    return request


def as_spec_error(error: ServerError) -> Exception:
    if error.reason in ("SPEC_INVALID", "MODEL_DOES_NOT_FIT", "CATALOG_ENTRY_NOT_FOUND"):
        text = "\n".join(f"{v.field}: {v.description}" for v in error.violations)
        return SpecInvalid(text or error.message, error.violations)
    return error


def check_ended(simulation) -> None:
    """RunFailed unless it succeeded."""
    state = state_name(simulation)
    if state == "FAILED":
        raise RunFailed(f"{simulation.name} failed: {simulation.error.message}")
    if state == "CANCELLED":
        raise RunFailed(f"{simulation.name} was cancelled" +
                        (f": {simulation.cancel_reason}" if simulation.cancel_reason else ""))


class Client:
    """server    host:port; default $TOKENSIM_SERVER, else 127.0.0.1:50051
    timeout   seconds of one attempt of a call
    max_wait  seconds from the first failure of a call to its last retry; 0: no retries
    """

    def __init__(self, server: typing.Optional[str] = None, *, timeout: float = 10, max_wait: float = 5):
        self.server = server or os.environ.get("TOKENSIM_SERVER") or "127.0.0.1:50051"
        self._timeout = timeout
        self._max_wait = max_wait
        self._channel = grpc.insecure_channel(self.server, options=CHANNEL_OPTIONS)
        self._calls: typing.Dict[str, typing.Callable] = {}
        for service in ("SimulationService", "CatalogService", "ServerService"):
            self._calls.update(calls(self._channel, service))

    def close(self) -> None:
        """Ends every call and stream in progress."""
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *unused) -> None:
        self.close()

    def _pause(self, backoff: Backoff, error: ServerError) -> None:
        """Waits before the next attempt. Raises the error when there is none.

        Nobody drives an attempt to connect between calls, and a call fails at once while there is no connection.
        """
        time.sleep(backoff.delay(error))
        if error.reason:
            return
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout=backoff.left())
        except grpc.FutureTimeoutError:
            pass  # the next attempt says what is wrong
        finally:
            ready.cancel()

    def _call(self, method: str, request):
        backoff = Backoff(self._max_wait)
        while True:
            try:
                return self._calls[method](request, timeout=self._timeout)
            except grpc.RpcError as error:
                self._pause(backoff, to_error(error))

    # Simulations.

    def submit(self, spec: specs.Spec, changes: local.Changes = None, *, id: typing.Optional[str] = None,
               labels: typing.Optional[typing.Mapping[str, str]] = None, cwd: typing.Optional[str] = None) -> "Handle":
        """Creates a simulation. `changes` as in local.run; SpecInvalid, ServerError.

        id      its name on the server; default: the server chooses
        labels  at most 64, keys and values of at most 63 bytes
        """
        request = create_request(make_spec(spec, changes, cwd), id, labels)
        try:
            return Handle(self, self._call("CreateSimulation", request).name)
        except ServerError as error:
            raise as_spec_error(error) from None

    def run(self, spec: specs.Spec, changes: local.Changes = None, *, id: typing.Optional[str] = None,
            labels: typing.Optional[typing.Mapping[str, str]] = None,
            progress: typing.Union[bool, OnProgress] = False, cwd: typing.Optional[str] = None) -> Result:
        """Submits a spec, waits for its end, and gives its result.

        progress  True: a bar on stderr, in notebooks too; or a function that gets the Simulation now and then
        """
        return self.submit(spec, changes, id=id, labels=labels, cwd=cwd).result(progress)

    def run_many(self, points: typing.Sequence[typing.Any]) -> typing.List[Result]:
        """A run for each point, a spec or a pair of a spec and its changes, in their order. All are submitted first."""
        handles = [self.submit(*(p if isinstance(p, tuple) else (p,))) for p in points]
        return [handle.result() for handle in handles]

    def sweep(self, spec: specs.Spec, vary: typing.Mapping[str, typing.Sequence[typing.Any]],
              metrics: typing.Sequence[str], *, keep: bool = False, in_flight: int = 64) -> Table:
        """A run on the server for every combination of values, as local.sweep: a row each, in order.

        vary       values by the path of a field
        metrics    columns, as ttft.p99
        keep       leave the simulations on the server, with the label `sweep`; else each is deleted when it is read
        in_flight  so many simulations at a time, queued or running

        The column `note` tells of saturation and errors; a point with an error has no figures.
        """
        labels = {"sweep": uuid.uuid4().hex[:12]}
        waiting: typing.Deque[typing.Tuple[dict, typing.Union[Handle, Exception]]] = collections.deque()
        rows = []
        for values in itertools.product(*vary.values()):
            point = dict(zip(vary, values))
            try:
                waiting.append((point, self.submit(spec, point, labels=labels)))
            except SpecInvalid as error:
                waiting.append((point, error))
            if len(waiting) >= in_flight:
                rows.append(_sweep_row(*waiting.popleft(), metrics, keep))
        rows += [_sweep_row(point, handle, metrics, keep) for point, handle in waiting]
        return Table.from_rows(rows, [*vary, *metrics, "note"])

    def get(self, name: str):
        """The Simulation message: state, progress, spec, report without timelines."""
        return self._call("GetSimulation", _schema.message("GetSimulationRequest")(name=full_name(name)))

    def handle(self, name: str) -> "Handle":
        """Of a simulation that exists already."""
        return Handle(self, full_name(name))

    def list(self, filter: str = "") -> typing.Iterator[typing.Any]:
        """Simulation messages, newest first: `state = RUNNING AND labels.team = "infra"`."""
        request = _schema.message("ListSimulationsRequest")(filter=filter, page_size=1000)
        while True:
            page = self._call("ListSimulations", request)
            yield from page.simulations
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def cancel(self, name: str, reason: str = ""):
        """Ends one; the Simulation as it is then. Nothing happens to one that has ended."""
        return self._call("CancelSimulation",
                          _schema.message("CancelSimulationRequest")(name=full_name(name), reason=reason))

    def delete(self, name: str, force: bool = False) -> None:
        """Removes one; with `force` an active one, too."""
        self._call("DeleteSimulation", _schema.message("DeleteSimulationRequest")(name=full_name(name), force=force))

    def report(self, name: str):
        """The Report message, timelines included, of one that succeeded."""
        report = _schema.message("Report")()
        request = _schema.message("GetReportPageRequest")(name=full_name(name))
        while True:
            page = self._call("GetReportPage", request)
            report.MergeFrom(page.part)
            if not page.next_page_token:
                return report
            request.page_token = page.next_page_token

    # Streams.

    def watch(self, name: str) -> typing.Iterator[typing.Any]:
        """The Simulation now and after each change of state or progress, to its end; without spec and report."""
        request = _schema.message("WatchSimulationRequest")(name=full_name(name))
        backoff = Backoff(self._max_wait)
        while True:
            try:
                for simulation in self._calls["WatchSimulation"](request):
                    backoff.reset()
                    yield simulation
                    if has_ended(simulation):
                        return
                error = ServerError("UNAVAILABLE", "", "the server ended the watch before the simulation ended")
            except grpc.RpcError as broken:
                error = to_error(broken)
            self._pause(backoff, error)

    def stream_batches(self, name: str, kinds: typing.Sequence[str] = (), *, after: int = 0, until: int = 0,
                       workers: typing.Sequence[int] = (), requests: typing.Sequence[int] = (),
                       sample: float = 0) -> typing.Iterator[typing.Any]:
        """As stream_events, in EventBatch messages as they come: faster than one by one. `covered_through` of a batch is
        what a later stream starts `after`."""
        request = events_request(name, kinds, after, until, workers, requests, sample)
        backoff = Backoff(self._max_wait)
        while True:
            progressed = False
            stream = self._calls["StreamEvents"](request)
            try:
                for batch in stream:
                    if batch.covered_through > request.after_sequence:
                        progressed = True
                        backoff.reset()
                        request.after_sequence = batch.covered_through
                    yield batch
                    if batch.events and batch.events[-1].HasField("simulation_ended"):
                        return
                    if 0 < until <= request.after_sequence:
                        return
                if not progressed:  # nothing behind the cursor
                    return
            except grpc.RpcError as broken:
                self._pause(backoff, to_error(broken))
            finally:
                stream.cancel()

    def stream_events(self, name: str, kinds: typing.Sequence[str] = (), **options) -> typing.Iterator[typing.Any]:
        """Event messages, each exactly once and in order, whatever happens to the connection.

        kinds          as `iteration`, `request_finished`; none: all
        after, until   sequence numbers: only events behind the first, up to the second
        workers, requests, sample   only events of these workers or requests, or of this share of the requests

        Can be read while the simulation runs; complete with `simulation_ended`, which passes every filter.
        """
        for batch in self.stream_batches(name, kinds, **options):
            yield from batch.events

    # Facts.

    def estimate(self, spec: specs.Spec, changes: local.Changes = None, *, cwd: typing.Optional[str] = None):
        """The Estimate message of a spec: findings, KV blocks, time and memory it would take. Runs nothing."""
        request = _schema.message("EstimateSimulationRequest")()
        request.spec.CopyFrom(make_spec(spec, changes, cwd))
        return self._call("EstimateSimulation", request)

    def catalog(self):
        """The Catalog message: models, hardware, policies that specs can name."""
        return self._call("GetCatalog", _schema.message("GetCatalogRequest")())

    def server_info(self):
        """The ServerInfo message: version, limits and load."""
        return self._call("GetServerInfo", _schema.message("GetServerInfoRequest")())


def _sweep_row(point: dict, handle: typing.Union["Handle", Exception], metrics: typing.Sequence[str], keep: bool) -> dict:
    if isinstance(handle, Exception):
        return {**point, "note": f"error: {handle}"}
    try:
        result = handle.result()
    except RunFailed as error:
        return {**point, "note": f"error: {error}"}
    row = {**point, **{name: result[name] for name in metrics}, "note": "saturated" if result.saturated else None}
    if not keep:
        handle.client.delete(handle.name)
    return row


class RemoteReplay(Replay):
    """Reads the stream of a simulation; connects when it is first used, so it can be pickled."""

    def __init__(self, server: str, name: str, classes: typing.Sequence[str],
                 client: typing.Optional[Client] = None):
        self._client = client
        self._server, self._name, self._classes = server, name, list(classes)

    def __getstate__(self):
        return {**self.__dict__, "_client": None}

    def events(self, kinds: typing.Sequence[str]) -> typing.Iterator[typing.Any]:
        if self._client is None:
            self._client = Client(self._server)
        for event in self._client.stream_events(self._name, kinds):
            if not kinds or "simulation_ended" in kinds or not event.HasField("simulation_ended"):
                yield event

    def requests(self) -> Table:
        records = [getattr(event, event.WhichOneof("body")).record
                   for event in self.events(("request_finished", "request_rejected"))]
        records.sort(key=lambda record: record.request_id)
        return Table.from_rows([record_row(record, self._classes) for record in records], REQUEST_COLUMNS)


class Handle:
    """A simulation on a server."""

    def __init__(self, client: Client, name: str):
        self.client = client
        self.name = name

    @property
    def state(self) -> str:
        return state_name(self.client.get(self.name))

    def watch(self) -> typing.Iterator[typing.Any]:
        return self.client.watch(self.name)

    def events(self, *kinds: str, **options) -> typing.Iterator[typing.Any]:
        return self.client.stream_events(self.name, kinds, **options)

    def cancel(self, reason: str = "") -> None:
        self.client.cancel(self.name, reason)

    def result(self, progress: typing.Union[bool, OnProgress] = False) -> Result:
        """Waits for the end. RunFailed when it failed or was cancelled."""
        with progress_bars.reporter(progress) as report_progress:
            simulation = None
            for simulation in self.watch():
                report_progress(simulation)
        check_ended(simulation)
        report = self.client.report(self.name)
        replay = RemoteReplay(self.client.server, self.name, [c.name for c in report.classes], self.client)
        return Result(report, replay, name=self.name)

    def __repr__(self) -> str:
        return f"<Handle {self.name} on {self.client.server}>"
