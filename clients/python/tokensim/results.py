"""What a run gave: its report, and by replaying it, one row per request and every event.

    result = tokensim.local.run("spec.yaml")
    result["ttft.p99"]             seconds; the names are those of `tokensim run --assert`
    result.report.workers[0]       the Report message (proto/tokensim/v1/report.proto)
    result.requests().frame()      a pandas frame
"""

import abc
import inspect
import typing

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from tokensim import _schema
from tokensim.table import Table

_NS = 1e-9
# Fields without a value are written, too: the option has another name from protobuf 26 on.
_WITH_DEFAULTS = {name: True for name in inspect.signature(json_format.MessageToJson).parameters
                  if name in ("including_default_value_fields", "always_print_fields_with_no_presence")}


class Replay(abc.ABC):
    """A run is a function of its spec: what was not kept is computed again."""

    @abc.abstractmethod
    def requests(self) -> Table:
        """One row per request that ended."""

    @abc.abstractmethod
    def events(self, kinds: typing.Sequence[str]) -> typing.Iterator[typing.Any]:
        """Event messages of these kinds (none: all), as `iteration`, `request_finished`."""


def metrics(report) -> typing.Dict[str, typing.Optional[float]]:
    """Every figure of a report by its name: `ttft_seconds.p99`, `requests.finished`, `slo.attainment`.

    Units are in the names; times are in seconds, shares from 0 to 1. None: undefined in this run. Of workers, links
    and classes, which are lists, there is nothing here.
    """
    found: typing.Dict[str, typing.Optional[float]] = {}
    _flatten(report, "", found)
    requests = report.requests
    found["requests.rejected"] = (requests.rejected_max_model_len + requests.rejected_kv_capacity
                                  + requests.rejected_no_worker)
    return found


def _flatten(message, prefix: str, found: typing.Dict[str, typing.Optional[float]]) -> None:
    empty = message.DESCRIPTOR.name == "Distribution" and message.count == 0
    for field in message.DESCRIPTOR.fields:
        if field.label == FieldDescriptor.LABEL_REPEATED or field.name == "execution":
            continue
        value = getattr(message, field.name)
        if field.message_type is not None:
            if field.message_type.name == "Distribution" or message.HasField(field.name):
                _flatten(value, prefix + field.name + ".", found)
        elif isinstance(value, (int, float)) and field.enum_type is None:
            known = message.HasField(field.name) if field.has_presence else not (empty and field.name != "count")
            found[prefix + field.name] = value if known else None


class Result:
    """A run that succeeded. Can be pickled, so it can come from another process."""

    def __init__(self, report, replay: Replay, warnings: typing.Sequence[str] = (),
                 name: typing.Optional[str] = None, missed: typing.Sequence[str] = ()):
        self.report = report  # the Report message
        self.name = name  # on the server; None: local
        self.warnings = tuple(warnings)  # what was said of the spec
        self.missed = tuple(missed)  # assertions that do not hold, with what was measured
        self._replay = replay
        self._requests: typing.Optional[Table] = None

    def __getstate__(self):
        return {**self.__dict__, "report": self.report.SerializeToString()}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.report = _schema.message("Report").FromString(state["report"])

    @property
    def metrics(self) -> typing.Dict[str, typing.Optional[float]]:
        return metrics(self.report)

    def __getitem__(self, name: str) -> typing.Optional[float]:
        """A metric by its name; `_seconds` may be left out, and `goodput` is that of the SLO. KeyError: no such."""
        known = self.metrics
        if name == "goodput":
            name = "slo.goodput_requests_per_second"
        head, _, statistic = name.partition(".")
        for candidate in (name, f"{head}_seconds.{statistic}"):
            if candidate in known:
                return known[candidate]
        if name.startswith(("slo.", "cost.", "energy.", "cache.", "window.", "transfers.")):
            return None
        raise KeyError(name)

    @property
    def notes(self) -> typing.List[str]:
        """What a reader should know: saturation, rejections..."""
        return list(self.report.notes)

    @property
    def saturated(self) -> bool:
        """More came in than was served: latencies grow with the length of the run."""
        return any(note.startswith("Saturated") for note in self.report.notes)

    def requests(self) -> Table:
        """One row per request that ended; columns as docs/cli.md says, times in simulated seconds (`_s`)."""
        if self._requests is None:
            self._requests = self._replay.requests()
        return self._requests

    def events(self, *kinds: str) -> typing.Iterator[typing.Any]:
        """Event messages (proto/tokensim/v1/events.proto), of these kinds or all: `iteration`, `first_token`..."""
        return self._replay.events(kinds)

    def iterations(self) -> Table:
        """One row per iteration of each worker; `end_s`, `duration_s` in simulated seconds."""
        columns: typing.Dict[str, list] = {name: [] for name in (
            "worker", "index", "end_s", "duration_s", "prefill_tokens", "decode_tokens", "kv_blocks_used", "running",
            "waiting")}
        for event in self._replay.events(("iteration",)):
            body = event.iteration
            row = (body.worker, body.index, event.time_ns * _NS, body.duration_ns * _NS, body.prefill_tokens,
                   body.decode_tokens, body.kv_blocks_used, body.running, body.waiting)
            for values, value in zip(columns.values(), row):
                values.append(value)
        return Table(columns)

    def timeline(self) -> Table:
        """Time averages over consecutive intervals, a row for each worker and interval; `start_s` in seconds."""
        names = ("running", "waiting", "kv_utilization", "busy", "loading", "held")
        columns: typing.Dict[str, list] = {name: [] for name in ("worker", "start_s", *names)}
        for worker in self.report.workers:
            line = worker.timeline
            count = len(line.running)
            columns["worker"] += [worker.name] * count
            columns["start_s"] += [i * line.interval_seconds for i in range(count)]
            for name in names:
                columns[name] += list(getattr(line, name)) or [0.0] * count
        return Table(columns)

    def workers(self) -> Table:
        """One row per worker, with every figure of the report but its timeline."""
        rows = []
        for worker in self.report.workers:
            rows.append({field.name: getattr(worker, field.name) for field in worker.DESCRIPTOR.fields
                         if field.message_type is None and field.label != FieldDescriptor.LABEL_REPEATED})
        return Table.from_rows(rows)

    def to_json(self) -> str:
        """The report as `tokensim run -o json` prints it."""
        return json_format.MessageToJson(self.report, preserving_proto_field_name=True, **_WITH_DEFAULTS)

    def __repr__(self) -> str:
        report = self.report
        return (f"<Result {report.spec_name!r}: {report.requests.finished} of {report.requests.total} requests, "
                f"{report.throughput.requests_per_second:.4g}/s, TTFT p99 {report.ttft_seconds.p99:.4g} s, "
                f"TPOT p99 {report.tpot_seconds.p99:.4g} s>")

    def summary(self) -> Table:
        """The latencies, a row each: mean and percentiles in seconds."""
        rows = []
        for name in ("ttft", "tpot", "e2e", "queueing", "normalized_latency", "max_itl"):
            values = getattr(self.report, name + "_seconds")
            rows.append({"metric": name, **{s: getattr(values, s) for s in ("mean", "p50", "p90", "p99", "max")}})
        return Table.from_rows(rows)

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>".replace("<Result", "Result").replace("s></p>", "s</p>") + self.summary()._repr_html_()


_CSV_TEXT = {"reject_reason", "class"}


def csv_value(column: str, text: str) -> typing.Union[None, int, float, str]:
    """A cell of `tokensim run --requests FILE.csv`."""
    if column in _CSV_TEXT:
        return text or None
    if not text:
        return None
    return float(text) if column.endswith("_s") else int(text)


REQUEST_COLUMNS = ("request_id", "arrival_s", "queued_s", "scheduled_s", "first_token_s", "finish_s", "input_tokens",
                   "output_tokens", "cached_tokens", "preemptions", "worker", "ttft_s", "tpot_s", "e2e_s", "max_itl_s",
                   "reject_reason", "class", "conversation", "turn", "prefill_worker", "kv_transfer_s",
                   "decode_queueing_s")


def record_row(record, classes: typing.Sequence[str]) -> typing.Dict[str, typing.Any]:
    """A RequestRecord as a row of `requests()`."""
    def seconds(ns: int) -> typing.Optional[float]:
        return None if ns < 0 else ns / 1e9
    rejected = record.reject_reason != 0
    finished = not rejected and record.finish_ns >= 0
    more = record.output_tokens - 1
    in_conversation = record.conversation >= 0
    reason = record.DESCRIPTOR.fields_by_name["reject_reason"].enum_type.values_by_number[record.reject_reason].name
    return {
        "request_id": record.request_id, "arrival_s": seconds(record.arrival_ns), "queued_s": seconds(record.queued_ns),
        "scheduled_s": seconds(record.scheduled_ns), "first_token_s": seconds(record.first_token_ns),
        "finish_s": seconds(record.finish_ns), "input_tokens": record.input_tokens,
        "output_tokens": record.output_tokens, "cached_tokens": record.cached_tokens,
        "preemptions": record.preemptions, "worker": record.worker,
        "ttft_s": seconds(record.first_token_ns - record.arrival_ns) if finished else None,
        "tpot_s": (record.finish_ns - record.first_token_ns + more // 2) // more / 1e9 if finished and more > 0 else None,
        "e2e_s": seconds(record.finish_ns - record.arrival_ns) if finished else None,
        "max_itl_s": seconds(record.max_itl_ns),
        "reject_reason": reason[len("REJECT_REASON_"):].lower() if rejected else None,
        "class": classes[record.client_class] if record.client_class < len(classes) else None,
        "conversation": record.conversation if in_conversation else None,
        "turn": record.turn if in_conversation else None,
        "prefill_worker": record.prefill_worker if record.prefill_worker >= 0 else None,
        "kv_transfer_s": seconds(record.kv_transfer_ns), "decode_queueing_s": seconds(record.decode_queueing_ns),
    }
