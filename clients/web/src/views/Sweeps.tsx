// Runs of one kind as a study: figures against a field that they differ in.
import { useMemo } from "preact/hooks";
import { idOf } from "../api";
import { Plot, type Line } from "../charts/Plot";
import { heat } from "../charts/palette";
import { number, percent, seconds } from "../format";
import type { Report } from "../gen/tokensim/v1/report_pb";
import type { Simulation } from "../gen/tokensim/v1/simulation_pb";
import { navigate, type Route } from "../router";
import { differences, flatten } from "../spec/diff";
import { Empty, Notice } from "../ui/parts";
import { useFinished } from "./useFinished";
import { useSimulations } from "./useSimulations";

const most = 200;
const metrics: { id: string; name: string; unit: (v: number) => string; of: (r: Report) => number }[] = [
  { id: "ttft", name: "TTFT p99", unit: seconds, of: (r) => r.ttftSeconds?.p99 ?? NaN },
  { id: "tpot", name: "TPOT p99", unit: seconds, of: (r) => r.tpotSeconds?.p99 ?? NaN },
  { id: "e2e", name: "E2E p99", unit: seconds, of: (r) => r.e2eSeconds?.p99 ?? NaN },
  { id: "tokens", name: "output tokens/s", unit: number, of: (r) => r.throughput?.outputTokensPerSecond ?? NaN },
  { id: "goodput", name: "goodput, requests/s", unit: number, of: (r) => r.slo?.goodputRequestsPerSecond ?? NaN },
  { id: "slo", name: "within the SLO", unit: percent, of: (r) => r.slo?.attainment ?? NaN },
  { id: "cost", name: "$ per million output tokens", unit: number, of: (r) => r.cost?.dollarsPerMillionOutputTokens ?? NaN },
];

function devices(s: Simulation): number {
  return (s.spec?.workers ?? []).reduce((sum, w) => {
    const p = w.parallelism;
    return sum + (w.count ?? 1) * Math.max(1, p?.tensor ?? 1) * Math.max(1, p?.pipeline ?? 1) * Math.max(1, p?.data ?? 1);
  }, 0);
}

const whole = (s: Simulation) => s;

// Runs of a study share a label `study`, or the name of their spec.
const studyOf = (s: Simulation) => s.labels["study"] ?? s.labels["sweep"] ?? s.specName;

export function Sweeps({ route }: { route: Route }) {
  const { list, problem } = useSimulations("state = SUCCEEDED");
  const studies = useMemo(() => {
    const groups = new Map<string, Simulation[]>();
    for (const s of list ?? []) groups.set(studyOf(s), [...(groups.get(studyOf(s)) ?? []), s]);
    return [...groups].filter(([, runs]) => runs.length > 1);
  }, [list]);
  const study = route.query.get("study") ?? studies[0]?.[0];
  const { kept, wanted, problem: failed } = useFinished(studies.find(([name]) => name === study)?.[1], most, whole);
  const runs = wanted.flatMap((s) => kept.get(s.uid) ?? []).filter((s) => s.report && s.spec);
  const fields = useMemo(() => differences(runs.map((r) => r.spec)).map((d) => d.path), [runs.length]);
  const flat = useMemo(() => runs.map((r) => flatten(r.spec!)), [runs.length]);
  const numeric = fields.filter((f) => flat.every((v) => v.get(f) === undefined || Number.isFinite(Number(v.get(f)))));
  const pick = (name: string, known: string[], fallback: string | undefined) => {
    const asked = route.query.get(name);
    return asked !== null && (known.includes(asked) || asked === "") ? asked : fallback;
  };
  const x = pick("x", fields, numeric.find((f) => f.includes("rate_per_second")) ?? numeric[0] ?? fields[0]);
  const by = pick("by", fields, fields.find((f) => f !== x)) ?? "";
  const metric = metrics.find((m) => m.id === route.query.get("metric")) ?? metrics[0]!;
  const set = (name: string, value: string) => {
    const query = new URLSearchParams(route.query);
    query.set(name, value);
    navigate(`/sweeps?${query}`, true);
  };

  const groups = new Map<string, { run: Simulation; x: string; value: number }[]>();
  runs.forEach((run, i) => {
    const group = by === "" ? "all" : (flat[i]!.get(by) ?? "default");
    const point = { run, x: x === undefined ? "" : (flat[i]!.get(x) ?? "default"), value: metric.of(run.report!) };
    groups.set(group, [...(groups.get(group) ?? []), point]);
  });
  const inOrder = [...groups].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  inOrder.forEach(([, points]) => points.sort((a, b) => a.x.localeCompare(b.x, "en", { numeric: true })));
  const xs = [...new Set(inOrder.flatMap(([, points]) => points.map((p) => p.x)))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const leaf = by.slice(Math.max(by.lastIndexOf("."), 0)).replace(/^\./, "");
  const legend = (value: string) => (by === "" ? "all" : `${leaf} ${value}`);
  const lines: Line[] = inOrder.map(([value, points]) => ({
    label: legend(value),
    x: points.map((p) => (numeric.includes(x ?? "") ? Number(p.x) : xs.indexOf(p.x))),
    y: points.map((p) => p.value),
  }));
  const pareto: Line[] = inOrder.map(([value, points]) => ({
    label: legend(value),
    points: true,
    x: points.map((p) => 1 / (p.run.report!.tpotSeconds?.p50 || NaN)),
    y: points.map((p) => (p.run.report!.throughput?.outputTokensPerSecond ?? NaN) / Math.max(1, devices(p.run))),
  }));
  const values = inOrder.flatMap(([, points]) => points.map((p) => p.value)).filter(Number.isFinite);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const open = (line: number, index: number) => {
    const run = inOrder[line]?.[1][index]?.run;
    if (run) navigate(`/runs/${idOf(run.name)}`);
  };
  return (
    <>
      <header class="bar-top">
        <h1>Sweeps</h1>
      </header>
      <Notice problem={problem ?? failed} />
      {list && studies.length === 0 && (
        <Empty>
          <p>Runs that share a label <code>study</code>, or the name of their specification, are a study once there are two.</p>
          <p>
            <code>for r in 4 8 16; do tokensim submit spec.yaml --labels study=rate --set workload.arrival.poisson.rate_per_second=$r; done</code>
          </p>
        </Empty>
      )}
      {studies.length > 0 && (
        <div class="tools">
          <label>
            study{" "}
            <select value={study} onChange={(e) => navigate(`/sweeps?study=${encodeURIComponent(e.currentTarget.value)}`)}>
              {studies.map(([name, all]) => (
                <option key={name} value={name}>
                  {name} ({all.length})
                </option>
              ))}
            </select>
          </label>
          <label>
            figure{" "}
            <select value={metric.id} onChange={(e) => set("metric", e.currentTarget.value)}>
              {metrics.map((m) => (
                <option key={m.id} value={m.id}>
                  {m.name}
                </option>
              ))}
            </select>
          </label>
          <label>
            against{" "}
            <select value={x ?? ""} onChange={(e) => set("x", e.currentTarget.value)}>
              {fields.map((f) => (
                <option key={f}>{f}</option>
              ))}
            </select>
          </label>
          <label>
            lines by{" "}
            <select value={by} onChange={(e) => set("by", e.currentTarget.value)}>
              <option value="">none</option>
              {fields
                .filter((f) => f !== x)
                .map((f) => (
                  <option key={f}>{f}</option>
                ))}
            </select>
          </label>
        </div>
      )}
      {runs.length > 0 && x !== undefined && (
        <>
          <div class="grid">
            <Plot title={`${metric.name} against ${x}`} lines={lines} x={numeric.includes(x) ? number : (v) => xs[Math.round(v)] ?? ""} y={metric.unit} onPoint={open} />
            <Plot title="Output tokens/s per device against tokens/s of a user" lines={pareto} x={number} y={number} onPoint={open} />
          </div>
          <h2>{metric.name}</h2>
          <div class="scroll">
            <table class="list heat-table">
              <thead>
                <tr>
                  <th scope="col">{by || "all"}</th>
                  {xs.map((v) => (
                    <th scope="col" class="n" key={v}>
                      {v}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {inOrder.map(([label, points]) => (
                  <tr key={label}>
                    <th scope="row">{label}</th>
                    {xs.map((v) => {
                      const at = points.filter((p) => p.x === v);
                      const point = at[0];
                      if (!point) return <td key={v} />;
                      const share = high > low ? (point.value - low) / (high - low) : 0;
                      const [r, g, b] = heat(share);
                      return (
                        <td class="n" key={v} style={{ background: `rgb(${r} ${g} ${b})` }}>
                          <a href={`/runs/${idOf(point.run.name)}`} style={{ color: share > 0.55 ? "#111" : "#fff" }}>
                            {metric.unit(point.value)}
                          </a>
                          {at.length > 1 && <small> ×{at.length}</small>}
                        </td>
                      );
                    })}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p class="note">A point opens its run. The axis is {x}.</p>
        </>
      )}
    </>
  );
}
