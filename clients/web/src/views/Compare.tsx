// Several runs beside each other: curves, figures and the fields that differ.
import { useEffect, useMemo, useState } from "preact/hooks";
import { idOf, nameOf, type Problem, simulations, whilePresent } from "../api";
import { colorOf } from "../charts/palette";
import { Plot } from "../charts/Plot";
import { cdf } from "../data/samples";
import { RunData } from "../data/runData";
import { number, percent, seconds } from "../format";
import { EventKind } from "../gen/tokensim/v1/events_pb";
import type { Distribution, Report } from "../gen/tokensim/v1/report_pb";
import type { Simulation } from "../gen/tokensim/v1/simulation_pb";
import { navigate, type Route } from "../router";
import { differences } from "../spec/diff";
import { Empty, Notice, State } from "../ui/parts";
import { useSimulations } from "./useSimulations";

const most = 20;
const requestsRead = 4_000;

type Row = { name: string; unit: (v: number) => string; of: (r: Report) => number; better: "less" | "more" };
const p = (pick: (r: Report) => Distribution | undefined, which: "mean" | "p50" | "p99") => (r: Report) => {
  const d = pick(r);
  return d && d.count > 0n ? d[which] : NaN;
};
const rows: Row[] = [
  { name: "TTFT p50", unit: seconds, of: p((r) => r.ttftSeconds, "p50"), better: "less" },
  { name: "TTFT p99", unit: seconds, of: p((r) => r.ttftSeconds, "p99"), better: "less" },
  { name: "TPOT p50", unit: seconds, of: p((r) => r.tpotSeconds, "p50"), better: "less" },
  { name: "TPOT p99", unit: seconds, of: p((r) => r.tpotSeconds, "p99"), better: "less" },
  { name: "E2E p50", unit: seconds, of: p((r) => r.e2eSeconds, "p50"), better: "less" },
  { name: "E2E p99", unit: seconds, of: p((r) => r.e2eSeconds, "p99"), better: "less" },
  { name: "requests/s", unit: number, of: (r) => r.throughput?.requestsPerSecond ?? NaN, better: "more" },
  { name: "output tokens/s", unit: number, of: (r) => r.throughput?.outputTokensPerSecond ?? NaN, better: "more" },
  { name: "within the SLO", unit: percent, of: (r) => r.slo?.attainment ?? NaN, better: "more" },
  { name: "goodput, requests/s", unit: number, of: (r) => r.slo?.goodputRequestsPerSecond ?? NaN, better: "more" },
  { name: "$ per million output tokens", unit: (v) => `$${number(v)}`, of: (r) => r.cost?.dollarsPerMillionOutputTokens ?? NaN, better: "less" },
  { name: "preemptions", unit: number, of: (r) => Number(r.requests?.preemptions ?? 0n), better: "less" },
];

function change(value: number, base: number): { text: string; share: number } {
  if (!Number.isFinite(value) || !Number.isFinite(base) || base === 0) return { text: "", share: 0 };
  const share = value / base - 1;
  return { text: Math.abs(share) < 0.0005 ? "same" : `${share > 0 ? "+" : "−"}${number(Math.abs(100 * share))} %`, share };
}

function usePicked(ids: string[]) {
  const [runs, setRuns] = useState<(Simulation | undefined)[]>([]);
  const [samples, setSamples] = useState<(RunData | undefined)[]>([]);
  const [problem, setProblem] = useState<Problem | undefined>();
  const key = ids.join(",");
  useEffect(() => {
    const stop = new AbortController();
    const signal = stop.signal;
    setRuns(ids.map(() => undefined));
    setSamples(ids.map(() => undefined));
    ids.forEach((id, i) => {
      void whilePresent(signal, setProblem, async () => {
        const run = await simulations.getSimulation({ name: nameOf(id) }, { signal });
        setRuns((old) => old.map((r, k) => (k === i ? run : r)));
        if (!run.report) return;
        const data = new RunData();
        const requests = Number(run.report.requests?.total ?? 0n);
        const stream = simulations.streamEvents(
          {
            name: nameOf(id),
            filter: { kinds: [EventKind.REQUEST_FINISHED], requests: requests > requestsRead ? { sampleFraction: requestsRead / requests } : undefined },
          },
          { signal },
        );
        for await (const batch of stream) for (const event of batch.events) data.add(event);
        setSamples((old) => old.map((s, k) => (k === i ? data : s)));
      });
    });
    return () => stop.abort();
  }, [key]);
  return { runs, samples, problem };
}

function Picker({ ids }: { ids: string[] }) {
  const { list } = useSimulations("state = SUCCEEDED");
  const others = (list ?? []).filter((s) => !ids.includes(idOf(s.name)));
  return (
    <select
      aria-label="Add a run"
      value=""
      disabled={others.length === 0 || ids.length >= most}
      onChange={(e) => navigate(`/compare?runs=${[...ids, e.currentTarget.value].join(",")}`)}
    >
      <option value="">Add a run…</option>
      {others.map((s) => (
        <option key={s.name} value={idOf(s.name)}>
          {idOf(s.name)} · {s.specName}
        </option>
      ))}
    </select>
  );
}

export function Compare({ route }: { route: Route }) {
  const ids = (route.query.get("runs") ?? "").split(",").filter(Boolean).slice(0, most);
  const { runs, samples, problem } = usePicked(ids);
  const fields = useMemo(() => differences(runs.map((r) => r?.spec)), [runs]);
  const labels = ids.map((id, i) => (new Set(runs.map((r) => r?.specName)).size === ids.length && runs[i]?.specName) || id);
  const curves = (pick: (d: RunData) => number[]) =>
    samples.flatMap((s, i) => (s ? [{ label: labels[i]!, series: i, ...cdf(pick(s)) }] : []));
  const ttft = useMemo(() => curves((d) => d.ttft.values), [samples, runs]);
  const tpot = useMemo(() => curves((d) => d.tpot.values), [samples, runs]);
  const e2e = useMemo(() => curves((d) => d.e2e.values), [samples, runs]);
  const base = runs[0]?.report;
  return (
    <>
      <header class="bar-top">
        <h1>Compare</h1>
        <Picker ids={ids} />
      </header>
      <Notice problem={problem} />
      {ids.length === 0 && <Empty>Choose two to twenty runs, here or in the list of simulations.</Empty>}
      {ids.length > 0 && (
        <div class="scroll">
          <table class="list compare">
            <thead>
              <tr>
                <th scope="col" />
                {ids.map((id, i) => (
                  <th scope="col" key={id} class="n">
                    <i class="dot" style={{ background: colorOf(i) }} />
                    <a href={`/runs/${id}`}>{labels[i]}</a>
                    {ids.length > 1 && (
                      <button type="button" class="close" aria-label={`Leave out ${labels[i]}`} onClick={() => navigate(`/compare?runs=${ids.filter((x) => x !== id).join(",")}`)}>
                        ×
                      </button>
                    )}
                    {runs[i] && !runs[i]!.report && <State simulation={runs[i]!} />}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows
                .filter((row) => runs.some((r) => r?.report && Number.isFinite(row.of(r.report))))
                .map((row) => (
                  <tr key={row.name}>
                    <th scope="row">{row.name}</th>
                    {runs.map((run, i) => {
                      const value = run?.report ? row.of(run.report) : NaN;
                      const c = i > 0 && base ? change(value, row.of(base)) : { text: "", share: 0 };
                      const good = row.better === "less" ? c.share < -0.0005 : c.share > 0.0005;
                      const bad = row.better === "less" ? c.share > 0.0005 : c.share < -0.0005;
                      return (
                        <td class="n" key={ids[i]}>
                          {Number.isFinite(value) ? row.unit(value) : "–"} <small class={good ? "good" : bad ? "worse" : ""}>{c.text}</small>
                        </td>
                      );
                    })}
                  </tr>
                ))}
              <tr>
                <th scope="col" colSpan={ids.length + 1} class="section">
                  {fields.length === 0 ? "The specifications do not differ." : "Fields that differ"}
                </th>
              </tr>
              {fields.slice(0, 60).map((f) => (
                <tr key={f.path}>
                  <th scope="row">
                    <code>{f.path}</code>
                  </th>
                  {f.values.map((v, i) => (
                    <td class="n" key={ids[i]}>
                      {v ?? "–"}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          {fields.length > 60 && <p class="note">… and {fields.length - 60} more fields.</p>}
        </div>
      )}
      {ttft.length > 0 && (
        <div class="grid">
          <Plot title="TTFT: share of requests within" lines={ttft} x={seconds} y={percent} yMax={1} logX />
          <Plot title="TPOT: share of requests within" lines={tpot} x={seconds} y={percent} yMax={1} />
          <Plot title="E2E: share of requests within" lines={e2e} x={seconds} y={percent} yMax={1} />
        </div>
      )}
    </>
  );
}
