// The table of all runs: live, searched, filtered, chosen from.
import { useMemo, useState } from "preact/hooks";
import { idOf, isOver, problemOf, type Problem, simulations as api, stateName } from "../api";
import { ago, number, percent, seconds } from "../format";
import type { Simulation } from "../gen/tokensim/v1/simulation_pb";
import { navigate, type Route } from "../router";
import { Empty, Notice, Progress, State } from "../ui/parts";
import { useFinished } from "./useFinished";
import { useSimulations } from "./useSimulations";

const states = ["", "pending", "running", "succeeded", "failed", "cancelled"];

// Figures of the newest runs; of more than these a table tells nobody anything.
const withFigures = 200;
const figuresOf = (s: Simulation) => {
  const r = s.report;
  return {
    ttft: r?.ttftSeconds?.p99 ?? NaN,
    tpot: r?.tpotSeconds?.p99 ?? NaN,
    tokens: r?.throughput?.outputTokensPerSecond ?? NaN,
    slo: r?.slo?.attainment ?? NaN,
  };
};

function matches(s: Simulation, words: string[]): boolean {
  const text = [idOf(s.name), s.specName, stateName(s), ...Object.entries(s.labels).map(([k, v]) => `${k}=${v}`)].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

export function Simulations({ route }: { route: Route }) {
  const search = route.query.get("q") ?? "";
  const state = route.query.get("state") ?? "";
  const { list, more, problem, reload } = useSimulations(state === "" ? "" : `state = ${state.toUpperCase()}`);
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const [failed, setFailed] = useState<Problem | undefined>();
  const shown = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    return (list ?? []).filter((s) => matches(s, words));
  }, [list, search]);

  const { kept } = useFinished(shown, withFigures, figuresOf);
  const set = (name: string, value: string) => {
    const query = new URLSearchParams(route.query);
    if (value === "") query.delete(name);
    else query.set(name, value);
    navigate(`/?${query}`.replace(/\?$/, ""), true);
  };
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const picked = shown.filter((s) => chosen.has(idOf(s.name)));
  const remove = async () => {
    if (!window.confirm(`Delete ${picked.length} simulation${picked.length > 1 ? "s" : ""}? This cannot be undone.`)) return;
    try {
      for (const s of picked) await api.deleteSimulation({ name: s.name, force: true });
      setChosen(new Set());
      setFailed(undefined);
    } catch (error) {
      setFailed(problemOf(error));
    }
    reload();
  };
  const rows = shown.map((s) => ({ s, figures: kept.get(s.uid) }));
  const all = shown.length > 0 && picked.length === shown.length;
  return (
    <>
      <header class="bar-top">
        <h1>Simulations</h1>
        <a class="button primary" href="/new">
          New run
        </a>
      </header>
      <Notice problem={failed ?? problem} />
      <div class="tools">
        <input type="search" placeholder="Search names and labels" aria-label="Search" value={search} onInput={(e) => set("q", e.currentTarget.value)} />
        <select aria-label="State" value={state} onChange={(e) => set("state", e.currentTarget.value)}>
          {states.map((s) => (
            <option key={s} value={s}>
              {s === "" ? "any state" : s}
            </option>
          ))}
        </select>
        <span class="spring" />
        <a class={`button ${picked.length >= 2 && picked.length <= 20 ? "" : "off"}`} aria-disabled={picked.length < 2} href={picked.length >= 2 ? `/compare?runs=${picked.map((s) => idOf(s.name)).join(",")}` : undefined}>
          Compare{picked.length > 0 ? ` ${picked.length}` : ""}
        </a>
        <button type="button" disabled={picked.length === 0} onClick={() => void remove()}>
          Delete
        </button>
      </div>
      {list && list.length === 0 && search === "" && state === "" && (
        <Empty>
          <p>Nothing has run here yet.</p>
          <p>
            <a class="button primary" href="/new">
              Start a run
            </a>{" "}
            or <code>tokensim submit spec.yaml</code>
          </p>
        </Empty>
      )}
      {list && list.length > 0 && shown.length === 0 && <Empty>No simulation matches.</Empty>}
      {shown.length > 0 && (
        <div class="scroll">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">
                  <input type="checkbox" aria-label="Choose all" checked={all} onChange={() => setChosen(all ? new Set() : new Set(shown.map((s) => idOf(s.name))))} />
                </th>
                <th scope="col">name</th>
                <th scope="col" class="spare">spec</th>
                <th scope="col">state</th>
                <th scope="col" class="n">TTFT p99</th>
                <th scope="col" class="n">TPOT p99</th>
                <th scope="col" class="n">tokens/s</th>
                <th scope="col" class="n">in SLO</th>
                <th scope="col">labels</th>
                <th scope="col">created</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ s, figures }) => (
                <tr key={s.uid} class={chosen.has(idOf(s.name)) ? "chosen" : ""}>
                  <td>
                    <input type="checkbox" aria-label={`Choose ${idOf(s.name)}`} checked={chosen.has(idOf(s.name))} onChange={() => toggle(idOf(s.name))} />
                  </td>
                  <td>
                    <a href={`/runs/${idOf(s.name)}`}>{idOf(s.name)}</a>
                  </td>
                  <td class="spare">{s.specName}</td>
                  <td>
                    <State simulation={s} />
                    {!isOver(s) && <Progress share={s.progress?.fraction ?? 0} label={`${idOf(s.name)} ${percent(s.progress?.fraction ?? 0)}`} />}
                  </td>
                  <td class="n">{figures && seconds(figures.ttft)}</td>
                  <td class="n">{figures && seconds(figures.tpot)}</td>
                  <td class="n">{figures && number(figures.tokens)}</td>
                  <td class="n">{figures && percent(figures.slo)}</td>
                  <td>
                    {Object.entries(s.labels).map(([k, v]) => (
                      <button type="button" class="label" key={k} title={`Search ${k}=${v}`} onClick={() => set("q", `${k}=${v}`)}>
                        {k}={v}
                      </button>
                    ))}
                  </td>
                  <td class="quiet">{ago(s.createTime)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {more && <p class="note">The newest 1,000 are shown.</p>}
        </div>
      )}
    </>
  );
}
