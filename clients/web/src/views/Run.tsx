// One run, while it runs and after: why are its latencies what they are?
import { toJsonString } from "@bufbuild/protobuf";
import { useMemo, useState } from "preact/hooks";
import { isOver, nameOf, problemOf, type Problem, simulations } from "../api";
import { HeatMap } from "../charts/HeatMap";
import { LifeBars } from "../charts/LifeBars";
import { Plot } from "../charts/Plot";
import type { RunData } from "../data/runData";
import { cdf, percentile } from "../data/samples";
import { type Run as Live, useRun } from "../data/useRun";
import { count, number, percent, seconds } from "../format";
import { type Distribution, type Report, ReportSchema, type WorkerReport } from "../gen/tokensim/v1/report_pb";
import { Card, Empty, Notice, Progress, State } from "../ui/parts";

type Percentiles = { mean: number; p50: number; p90: number; p99: number };

const ofReport = (d: Distribution | undefined): Percentiles | undefined => (d && d.count > 0n ? d : undefined);
const ofSamples = (values: number[]): Percentiles | undefined =>
  values.length === 0
    ? undefined
    : { mean: values.reduce((a, b) => a + b, 0) / values.length, p50: percentile(values, 0.5), p90: percentile(values, 0.9), p99: percentile(values, 0.99) };

function Latency({ title, values, limit }: { title: string; values: Percentiles | undefined; limit?: number }) {
  const broken = limit !== undefined && limit > 0 && values !== undefined && values.p99 > limit;
  return (
    <Card title={title} note={values ? `mean ${seconds(values.mean)}, p50 ${seconds(values.p50)}, p90 ${seconds(values.p90)}` : "nothing yet"}>
      <span class={broken ? "broken" : ""}>{values ? seconds(values.p99) : "–"}</span> <small>p99{limit ? `, limit ${seconds(limit)}` : ""}</small>
    </Card>
  );
}

// Sums of a series over the workers, on the widest intervals.
function overTime(workers: WorkerReport[], pick: (t: NonNullable<WorkerReport["timeline"]>) => number[]) {
  const width = Math.max(0, ...workers.map((w) => w.timeline?.intervalSeconds ?? 0));
  const y: number[] = [];
  for (const worker of workers) {
    const timeline = worker.timeline;
    if (!timeline || timeline.intervalSeconds === 0) continue;
    const merged = Math.max(1, Math.round(width / timeline.intervalSeconds));
    pick(timeline).forEach((value, i) => {
      const at = Math.floor(i / merged);
      y[at] = (y[at] ?? 0) + value / merged;
    });
  }
  return { x: y.map((_, i) => (i + 0.5) * width), y };
}

// Workers by time from the timelines of the report, or from snapshots while it runs.
function memoryOf(report: Report | undefined, data: RunData) {
  const first = report?.workers.find((w) => (w.timeline?.kvUtilization.length ?? 0) > 0);
  if (!report || !first) {
    return { times: data.memory.times, columns: data.memory.columns.map((c) => c.used), rows: (data.memory.columns[0]?.used ?? []).map((_, i) => `worker ${i}`) };
  }
  const width = Math.max(...report.workers.map((w) => w.timeline?.intervalSeconds ?? 0));
  const columns: number[][] = [];
  report.workers.forEach((w, row) => {
    const merged = Math.max(1, Math.round(width / (w.timeline?.intervalSeconds || width)));
    w.timeline?.kvUtilization.forEach((value, i) => {
      const at = Math.floor(i / merged);
      (columns[at] ??= report.workers.map(() => 0))[row]! += value / merged;
    });
  });
  return { times: columns.map((_, i) => (i + 0.5) * width), columns, rows: report.workers.map((w) => w.name) };
}

function Slo({ report }: { report: Report }) {
  const slo = report.slo;
  if (!slo) return null;
  const finished = Number(report.requests?.finished ?? 0n);
  const each: [string, bigint | undefined][] = [
    ["TTFT", slo.metTtft],
    ["TPOT", slo.metTpot],
    ["max ITL", slo.metMaxItl],
    ["E2E", slo.metE2e],
  ];
  const asked = each.filter((e): e is [string, bigint] => e[1] !== undefined);
  const worst = [...asked].sort((a, b) => Number(a[1] - b[1]))[0];
  const missed = worst && Number(worst[1]) < finished ? `${worst[0]} broke most: ${count(finished - Number(worst[1]))} of ${count(finished)} requests` : "no objective was broken";
  return (
    <Card title="Within the SLO" note={`${missed}; goodput ${number(slo.goodputRequestsPerSecond)} requests/s`}>
      {percent(slo.attainment)}
    </Card>
  );
}

function Workers({ report }: { report: Report }) {
  const shown = report.workers.slice(0, 64);
  return (
    <>
      <h2>Workers</h2>
      <div class="scroll">
        <table class="list">
          <thead>
            <tr>
              <th scope="col">worker</th>
              <th scope="col">hardware</th>
              <th scope="col">role</th>
              <th scope="col" class="n">requests</th>
              <th scope="col" class="n">iterations</th>
              <th scope="col" class="n">busy</th>
              <th scope="col" class="n">running</th>
              <th scope="col" class="n">KV used</th>
              <th scope="col" class="n">preempted</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((w) => (
              <tr key={w.worker}>
                <td>{w.name}</td>
                <td>{w.hardware}</td>
                <td>{w.role}</td>
                <td class="n">{count(w.requests)}</td>
                <td class="n">{count(w.iterations)}</td>
                <td class="n">{percent(w.utilization)}</td>
                <td class="n">{number(w.meanRunning)}</td>
                <td class="n">{percent(w.meanKvUtilization)}</td>
                <td class="n">{count(w.preemptions)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {report.workers.length > shown.length && <p class="note">… and {report.workers.length - shown.length} more.</p>}
      </div>
    </>
  );
}

function Operators({ report }: { report: Report }) {
  const workers = report.workers.filter((w) => w.operators.length > 0);
  if (workers.length === 0) return null;
  return (
    <>
      <h2>Where the time of each operator came from</h2>
      {workers.map((w) => (
        <details key={w.worker} open={workers.length === 1}>
          <summary>{w.name} and its like</summary>
          <div class="scroll">
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">operator</th>
                  <th scope="col">source</th>
                  <th scope="col">confidence</th>
                  <th scope="col" class="n">expected error</th>
                </tr>
              </thead>
              <tbody>
                {w.operators.map((o) => (
                  <tr key={o.name}>
                    <td>{o.name}</td>
                    <td>{o.source}</td>
                    <td>
                      <span class={`confidence ${o.confidence}`}>{o.confidence || "–"}</span>
                    </td>
                    <td class="n">{o.error === undefined ? "not known" : percent(o.error)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      ))}
    </>
  );
}

function Charts({ live }: { live: Live }) {
  const { data, report } = live;
  const version = data.version;
  const curves = useMemo(
    () =>
      [
        ["TTFT", data.ttft.values],
        ["TPOT", data.tpot.values],
        ["E2E", data.e2e.values],
      ].map(([label, values]) => ({ label: label as string, ...cdf(values as number[]) })),
    [version],
  );
  const points = useMemo(
    () => [
      { label: "TTFT", points: true, x: data.points.times, y: data.points.columns.map((c) => c.ttft) },
      { label: "TPOT", points: true, x: data.points.times, y: data.points.columns.map((c) => c.tpot) },
    ],
    [version],
  );
  const load = useMemo(() => {
    if (report && report.workers.some((w) => (w.timeline?.running.length ?? 0) > 0)) {
      const lines = [
        { label: "running", ...overTime(report.workers, (t) => t.running) },
        { label: "waiting", ...overTime(report.workers, (t) => t.waiting) },
      ];
      const held = overTime(report.workers, (t) => t.held);
      return held.y.length > 0 ? [...lines, { label: "held", ...held }] : lines;
    }
    const sum = (pick: (c: { running: number[]; waiting: number[] }) => number[]) => data.memory.columns.map((c) => pick(c).reduce((a, b) => a + b, 0));
    return [
      { label: "running", x: data.memory.times, y: sum((c) => c.running) },
      { label: "waiting", x: data.memory.times, y: sum((c) => c.waiting) },
    ];
  }, [version, report]);
  const memory = useMemo(() => memoryOf(report, data), [version, report]);
  const batches = useMemo(
    () => [
      { label: "prefill tokens", points: true, x: data.batches.times, y: data.batches.columns.map((b) => b.prefill) },
      { label: "decode tokens", points: true, x: data.batches.times, y: data.batches.columns.map((b) => b.decode) },
    ],
    [version],
  );
  const workers = report?.workers.map((w) => w.name) ?? [];
  return (
    <>
      <div class="grid">
        <Plot title="Share of requests within a latency" lines={curves} x={seconds} y={percent} yMax={1} logX />
        <Plot title="Latency by arrival" lines={points} x={seconds} y={seconds} />
        <Plot title="Requests at the workers" lines={load} x={seconds} y={number} />
        {data.batches.times.length > 0 && <Plot title="What each iteration computed" lines={batches} x={seconds} y={number} />}
      </div>
      {memory.columns.length > 0 && <HeatMap title="KV memory in use" times={memory.times} columns={memory.columns} rows={memory.rows} />}
      {data.slowest.items.length > 0 && <LifeBars toEnd={data.slowest.items} toStart={data.slowestToStart.items} workers={workers} />}
    </>
  );
}

// As a file of the browser.
function save(name: string, text: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function Run({ id }: { id: string }) {
  const live = useRun(nameOf(id));
  const [failed, setFailed] = useState<Problem | undefined>();
  const { simulation, report, data, share, following, problem } = live;
  const slo = simulation?.spec?.slo;
  const cancel = async () => {
    try {
      await simulations.cancelSimulation({ name: nameOf(id), reason: "from the dashboard" });
    } catch (error) {
      setFailed(problemOf(error));
    }
  };
  return (
    <>
      <header class="bar-top">
        <h1>
          {simulation?.specName || id} {simulation && <State simulation={simulation} />}
        </h1>
        <div class="actions">
          {simulation && !isOver(simulation) && (
            <button type="button" onClick={() => void cancel()}>
              Cancel
            </button>
          )}
          <a class="button" href={`/new?from=${id}`}>
            Change and run again
          </a>
          <a class="button" href={`/compare?runs=${id}`}>
            Compare
          </a>
        </div>
      </header>
      <p class="quiet">
        {id}
        {simulation && ` · engine ${simulation.engineVersion}`}
        {simulation && simulation.attempt > 1 && ` · attempt ${simulation.attempt}`}
        {Object.entries(simulation?.labels ?? {}).map(([k, v]) => (
          <span class="label" key={k}>
            {k}={v}
          </span>
        ))}
      </p>
      <Notice problem={failed ?? problem} />
      {simulation?.error?.message && (
        <div class="notice bad" role="alert">
          <strong>The run failed.</strong> {simulation.error.message}
        </div>
      )}
      {simulation && !isOver(simulation) && (
        <>
          <Progress share={simulation.progress?.fraction ?? 0} label="Progress of the run" />
          <p class="quiet" aria-live="polite">
            {count(simulation.progress?.requestsFinished ?? 0n)} of {count(simulation.progress?.requestsTotal ?? 0n)} requests,{" "}
            {seconds(simulation.progress?.simulatedSeconds ?? 0)} simulated, {count(simulation.progress?.events ?? 0n)} events
          </p>
        </>
      )}
      <div class="cards">
        <Latency title="TTFT" values={report ? ofReport(report.ttftSeconds) : ofSamples(data.ttft.values)} limit={slo?.ttftSeconds} />
        <Latency title="TPOT" values={report ? ofReport(report.tpotSeconds) : ofSamples(data.tpot.values)} limit={slo?.tpotSeconds} />
        {report && <Latency title="Longest gap between tokens" values={ofReport(report.maxItlSeconds)} limit={slo?.maxItlSeconds} />}
        <Latency title="E2E" values={report ? ofReport(report.e2eSeconds) : ofSamples(data.e2e.values)} limit={slo?.e2eSeconds} />
        {report && <Slo report={report} />}
        {report && (
          <Card title="Throughput" note={`${number(report.throughput?.inputTokensPerSecond ?? 0)} input tokens/s, over ${seconds(report.throughput?.spanSeconds ?? 0)}`}>
            {number(report.throughput?.outputTokensPerSecond ?? 0)} <small>tokens/s</small>
          </Card>
        )}
        {report && (
          <Card title="Requests" note={`${count(report.requests?.preemptions ?? 0n)} preemptions${report.cache ? `, ${percent(report.cache.hitRatio)} of input cached` : ""}`}>
            {number(report.throughput?.requestsPerSecond ?? 0)} <small>/s, {count(report.requests?.finished ?? 0n)} finished</small>
          </Card>
        )}
        {report?.cost && (
          <Card title="Cost" note={`$${number(report.cost.dollarsPerHour)} per hour`}>
            ${number(report.cost.dollarsPerMillionOutputTokens ?? NaN)} <small>per million output tokens</small>
          </Card>
        )}
      </div>
      {report?.notes.map((note) => (
        <div class="notice" key={note}>
          {note}
        </div>
      ))}
      {data.version === 0 && !report && following && !problem && <Empty>Waiting for events…</Empty>}
      {(data.version > 0 || report) && <Charts live={live} />}
      {share < 1 && (
        <p class="note">
          Curves and points are of {percent(share)} of the requests, chosen at random{report ? "; the figures above are of all" : ", and so are the figures until the run has ended"}.
        </p>
      )}
      {report && <Workers report={report} />}
      {report && <Operators report={report} />}
      {report && (
        <p class="downloads">
          <button type="button" onClick={() => save(`${id}.json`, toJsonString(ReportSchema, report, { useProtoFieldName: true, prettySpaces: 2 }))}>
            Save the report
          </button>{" "}
          {["requests.csv", "events.jsonl", "trace.pftrace"].map((file) => (
            <a key={file} href={`/v1/simulations/${id}/${file}`} download={`${id}.${file}`}>
              {file}
            </a>
          ))}{" "}
          <span class="quiet">
            The trace opens at <a href="https://ui.perfetto.dev">ui.perfetto.dev</a>.
          </span>
        </p>
      )}
    </>
  );
}
