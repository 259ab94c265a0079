// What a page knows of a run from its events: bounded, whatever the run is.
import type { Event } from "../gen/tokensim/v1/events_pb";
import { RejectReason, type RequestRecord } from "../gen/tokensim/v1/report_pb";
import { Columns, Largest, Reservoir } from "./samples";

const kept = 20_000;
export type MemoryColumn = { used: number[]; running: number[]; waiting: number[] };
export type Batch = { prefill: number; decode: number; worker: number };

export class RunData {
  readonly ttft = new Reservoir(kept);
  readonly tpot = new Reservoir(kept);
  readonly e2e = new Reservoir(kept);
  // Of each request that is kept: when it arrived and its TTFT and TPOT.
  readonly points = new Columns<{ ttft: number; tpot: number }>(4_000);
  readonly slowest = new Largest<RequestRecord>(12, (r) => Number(r.finishNs - r.arrivalNs));
  readonly slowestToStart = new Largest<RequestRecord>(12, (r) => Number(r.firstTokenNs - r.arrivalNs));
  readonly memory = new Columns<MemoryColumn>(600);
  readonly batches = new Columns<Batch>(2_000);
  finished = 0;
  rejected = 0;
  version = 0;

  add(event: Event) {
    const body = event.body;
    switch (body.case) {
      case "requestFinished":
        if (body.value.record) this.addRecord(body.value.record);
        break;
      case "requestRejected":
        ++this.rejected;
        break;
      case "memorySnapshot":
        this.memory.add(Number(event.timeNs) / 1e9, {
          used: body.value.workers.map((w) => Number(w.kvBlocksUsed) / Math.max(1, Number(w.kvBlocksTotal))),
          running: body.value.workers.map((w) => w.running),
          waiting: body.value.workers.map((w) => w.waiting),
        });
        break;
      case "iteration":
        this.batches.add(Number(event.timeNs) / 1e9, {
          prefill: body.value.prefillTokens,
          decode: body.value.decodeTokens,
          worker: body.value.worker,
        });
        break;
    }
    ++this.version;
  }

  private addRecord(record: RequestRecord) {
    if (record.rejectReason !== RejectReason.UNSPECIFIED) return;
    ++this.finished;
    const ttft = Number(record.firstTokenNs - record.arrivalNs) / 1e9;
    const e2e = Number(record.finishNs - record.arrivalNs) / 1e9;
    const tpot = record.outputTokens > 1 ? (e2e - ttft) / (record.outputTokens - 1) : NaN;
    this.ttft.add(ttft);
    this.e2e.add(e2e);
    if (!Number.isNaN(tpot)) this.tpot.add(tpot);
    this.points.add(Number(record.arrivalNs) / 1e9, { ttft, tpot });
    this.slowest.add(record);
    this.slowestToStart.add(record);
  }
}
