import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { lifeOf } from "../src/data/life";
import { RunData } from "../src/data/runData";
import { EventSchema } from "../src/gen/tokensim/v1/events_pb";
import { RequestRecordSchema } from "../src/gen/tokensim/v1/report_pb";

const record = (id: bigint, seconds: [number, number, number, number], more = {}) => {
  const [arrivalNs, scheduledNs, firstTokenNs, finishNs] = seconds.map((s) => BigInt(s * 1e9)) as [bigint, bigint, bigint, bigint];
  return create(RequestRecordSchema, { requestId: id, arrivalNs, scheduledNs, firstTokenNs, finishNs, kvTransferNs: -1n, decodeQueueingNs: -1n, outputTokens: 2, ...more });
};

test("a life has parts that add up to it", () => {
  expect(lifeOf(record(1n, [1, 2, 4, 9]))).toEqual([1, 2, 0, 5]);
  expect(lifeOf(record(1n, [1, 2, 4, 9], { kvTransferNs: 1_000_000_000n, decodeQueueingNs: 2_000_000_000n }))).toEqual([1, 2, 3, 2]);
});

test("the slowest to start are not the slowest to end", () => {
  const data = new RunData();
  for (const r of [record(1n, [0, 1, 2, 100]), record(2n, [0, 8, 9, 10])]) {
    data.add(create(EventSchema, { body: { case: "requestFinished", value: { record: r } } }));
  }
  expect(data.slowest.items.map((r) => r.requestId)).toEqual([1n, 2n]);
  expect(data.slowestToStart.items.map((r) => r.requestId)).toEqual([2n, 1n]);
});
