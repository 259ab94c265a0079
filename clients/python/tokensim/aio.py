"""The client for asyncio: `tokensim.client.Client` with coroutines.

    async with tokensim.aio.Client("127.0.0.1:50051") as client:
        a, b = await asyncio.gather(client.run(first), client.run(second))
        async for event in client.stream_events(a.name, ("first_token",)):
            ...

Results are those of the other client: reading their requests or events later blocks. For one event loop.
"""

import asyncio
import os
import typing

import grpc
import grpc.aio

from tokensim import _schema, local, specs
from tokensim.client import (RemoteReplay, as_spec_error, check_ended, create_request, events_request, full_name,
                             has_ended, make_spec)
from tokensim.connection import CHANNEL_OPTIONS, Backoff, calls, to_error
from tokensim.errors import ServerError
from tokensim.results import Result


class Client:
    """As tokensim.Client. Made within a running event loop."""

    def __init__(self, server: typing.Optional[str] = None, *, timeout: float = 10, max_wait: float = 5):
        self.server = server or os.environ.get("TOKENSIM_SERVER") or "127.0.0.1:50051"
        self._timeout = timeout
        self._max_wait = max_wait
        self._channel = grpc.aio.insecure_channel(self.server, options=CHANNEL_OPTIONS)
        self._calls: typing.Dict[str, typing.Callable] = {}
        for service in ("SimulationService", "CatalogService", "ServerService"):
            self._calls.update(calls(self._channel, service))

    async def close(self) -> None:
        """Ends every call and stream in progress."""
        await self._channel.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *unused) -> None:
        await self.close()

    async def _pause(self, backoff: Backoff, error: ServerError) -> None:
        """Waits before the next attempt. Raises the error when there is none."""
        await asyncio.sleep(backoff.delay(error))
        if not error.reason:
            try:
                await asyncio.wait_for(self._channel.channel_ready(), backoff.left())
            except asyncio.TimeoutError:
                pass  # the next attempt says what is wrong

    async def _call(self, method: str, request):
        backoff = Backoff(self._max_wait)
        while True:
            try:
                return await self._calls[method](request, timeout=self._timeout)
            except grpc.RpcError as error:
                await self._pause(backoff, to_error(error))

    async def submit(self, spec: specs.Spec, changes: local.Changes = None, *, id: typing.Optional[str] = None,
                     labels: typing.Optional[typing.Mapping[str, str]] = None,
                     cwd: typing.Optional[str] = None) -> str:
        """Creates a simulation; its name."""
        message = await asyncio.to_thread(make_spec, spec, changes, cwd)
        try:
            return (await self._call("CreateSimulation", create_request(message, id, labels))).name
        except ServerError as error:
            raise as_spec_error(error) from None

    async def run(self, spec: specs.Spec, changes: local.Changes = None, **options: typing.Any) -> Result:
        """Submits a spec, waits for its end, and gives its result. Options as submit."""
        return await self.result(await self.submit(spec, changes, **options))

    async def result(self, name: str) -> Result:
        """Waits for the end. RunFailed when it failed or was cancelled."""
        simulation = None
        async for simulation in self.watch(name):
            pass
        check_ended(simulation)
        report = await self.report(name)
        return Result(report, RemoteReplay(self.server, full_name(name), [c.name for c in report.classes]),
                      name=full_name(name))

    async def get(self, name: str):
        return await self._call("GetSimulation", _schema.message("GetSimulationRequest")(name=full_name(name)))

    async def cancel(self, name: str, reason: str = ""):
        return await self._call("CancelSimulation",
                                _schema.message("CancelSimulationRequest")(name=full_name(name), reason=reason))

    async def delete(self, name: str, force: bool = False) -> None:
        await self._call("DeleteSimulation",
                         _schema.message("DeleteSimulationRequest")(name=full_name(name), force=force))

    async def list(self, filter: str = "") -> typing.AsyncIterator[typing.Any]:
        request = _schema.message("ListSimulationsRequest")(filter=filter, page_size=1000)
        while True:
            page = await self._call("ListSimulations", request)
            for simulation in page.simulations:
                yield simulation
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def report(self, name: str):
        report = _schema.message("Report")()
        request = _schema.message("GetReportPageRequest")(name=full_name(name))
        while True:
            page = await self._call("GetReportPage", request)
            report.MergeFrom(page.part)
            if not page.next_page_token:
                return report
            request.page_token = page.next_page_token

    async def watch(self, name: str) -> typing.AsyncIterator[typing.Any]:
        request = _schema.message("WatchSimulationRequest")(name=full_name(name))
        backoff = Backoff(self._max_wait)
        while True:
            try:
                async for simulation in self._calls["WatchSimulation"](request):
                    backoff.reset()
                    yield simulation
                    if has_ended(simulation):
                        return
                error = ServerError("UNAVAILABLE", "", "the server ended the watch before the simulation ended")
            except grpc.RpcError as broken:
                error = to_error(broken)
            await self._pause(backoff, error)

    async def stream_batches(self, name: str, kinds: typing.Sequence[str] = (), *, after: int = 0, until: int = 0,
                             workers: typing.Sequence[int] = (), requests: typing.Sequence[int] = (),
                             sample: float = 0) -> typing.AsyncIterator[typing.Any]:
        request = events_request(name, kinds, after, until, workers, requests, sample)
        backoff = Backoff(self._max_wait)
        while True:
            progressed = False
            stream = self._calls["StreamEvents"](request)
            try:
                async for batch in stream:
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
                await self._pause(backoff, to_error(broken))
            finally:
                stream.cancel()

    async def stream_events(self, name: str, kinds: typing.Sequence[str] = (),
                            **options) -> typing.AsyncIterator[typing.Any]:
        async for batch in self.stream_batches(name, kinds, **options):
            for event in batch.events:
                yield event

    async def estimate(self, spec: specs.Spec, changes: local.Changes = None, *, cwd: typing.Optional[str] = None):
        request = _schema.message("EstimateSimulationRequest")()
        request.spec.CopyFrom(await asyncio.to_thread(make_spec, spec, changes, cwd))
        return await self._call("EstimateSimulation", request)

    async def catalog(self):
        return await self._call("GetCatalog", _schema.message("GetCatalogRequest")())

    async def server_info(self):
        return await self._call("GetServerInfo", _schema.message("GetServerInfoRequest")())
