// The life of a request in parts, in the order that they come.
import type { RequestRecord } from "../gen/tokensim/v1/report_pb";

export const parts = ["queued", "prefill", "handed on", "decode"] as const;

// Seconds of each part. Handed on: its KV cache moves to another worker, where it waits for its turn.
export function lifeOf(r: RequestRecord): number[] {
  const known = (ns: bigint) => (ns > 0n ? Number(ns) : 0);
  const after = Number(r.finishNs - r.firstTokenNs);
  const handed = Math.min(after, known(r.kvTransferNs) + known(r.decodeQueueingNs));
  return [Number(r.scheduledNs - r.arrivalNs), Number(r.firstTokenNs - r.scheduledNs), handed, after - handed].map((ns) => ns / 1e9);
}
