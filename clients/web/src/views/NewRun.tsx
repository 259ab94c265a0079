// A specification is written, checked by the server while it is, and run.
import type { ComponentType } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { catalog as loadCatalog, idOf, nameOf, newRequestId, problemOf, type Problem, simulations } from "../api";
import { bytes, count, seconds } from "../format";
import type { Catalog } from "../gen/tokensim/v1/catalog_pb";
import { type Estimate, Finding_Severity } from "../gen/tokensim/v1/simulation_pb";
import { navigate, type Route } from "../router";
import { firstChoice, specText, starts, type Choice } from "../spec/presets";
import { lineOf, type Mistake, readSpec } from "../spec/reader";
import { toYaml } from "../spec/writer";
import { Notice } from "../ui/parts";
import { CatalogBrowser } from "./CatalogBrowser";

const saved = "tokensim.draft";
const pause = 300; // milliseconds without a key before the server is asked

function Form({ catalog, onText }: { catalog: Catalog | undefined; onText: (text: string) => void }) {
  const [choice, setChoice] = useState<Choice>(firstChoice);
  const change = (part: Partial<Choice>) => {
    const next = { ...choice, ...part };
    setChoice(next);
    onText(specText(next));
  };
  const list = (name: "model" | "hardware" | "lengths", entries: { preset: string }[] | undefined) => (
    <label>
      {name}
      <select value={choice[name]} onChange={(e) => change({ [name]: e.currentTarget.value })}>
        {(entries ?? [{ preset: choice[name] }]).map((e) => (
          <option key={e.preset}>{e.preset}</option>
        ))}
      </select>
    </label>
  );
  const numeric = (name: "count" | "tensor" | "rate" | "requests", label: string, step = "1", min = "1") => (
    <label>
      {label}
      <input type="number" min={min} step={step} value={choice[name]} onChange={(e) => change({ [name]: Math.max(Number(min), e.currentTarget.valueAsNumber || Number(min)) })} />
    </label>
  );
  return (
    <form class="form" onSubmit={(e) => e.preventDefault()} aria-label="Write a specification">
      {list("model", catalog?.models)}
      {list("hardware", catalog?.hardware)}
      {numeric("count", "workers")}
      {numeric("tensor", "devices each")}
      {numeric("rate", "requests/s", "any", "0.01")}
      {numeric("requests", "requests")}
      {list("lengths", catalog?.lengths)}
    </form>
  );
}

function Checked({ estimate, mistakes, warnings }: { estimate: Estimate | undefined; mistakes: Mistake[]; warnings: Mistake[] }) {
  return (
    <div class="checked" aria-live="polite">
      {mistakes.length === 0 && estimate && (
        <>
          <p>
            <strong>Valid.</strong> {count(estimate.requests)} requests; about {seconds(estimate.estimatedWallSeconds)} to run and {bytes(Number(estimate.estimatedMemoryBytes))} of memory.
          </p>
          <table class="pairs">
            <thead>
              <tr>
                <th scope="col">workers</th>
                <th scope="col" class="n">count</th>
                <th scope="col" class="n">weights/device</th>
                <th scope="col" class="n">KV/token</th>
                <th scope="col" class="n">KV tokens</th>
              </tr>
            </thead>
            <tbody>
              {estimate.workers.map((w) => (
                <tr key={w.group}>
                  <td>{w.group}</td>
                  <td class="n">{w.count}</td>
                  <td class="n">{bytes(Number(w.weightBytesPerDevice))}</td>
                  <td class="n">{bytes(Number(w.kvBytesPerToken))}</td>
                  <td class="n">{count(w.kvTokens)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      {[...mistakes.map((m) => ["bad", m] as const), ...warnings.map((m) => ["warn", m] as const)].map(([kind, m], i) => (
        <p key={i} class={`finding ${kind}`}>
          {m.line > 0 && <span class="line">line {m.line}</span>} {m.field && <code>{m.field}</code>} {m.message}
        </p>
      ))}
    </div>
  );
}

export function NewRun({ route }: { route: Route }) {
  const [text, setText] = useState(() => window.sessionStorage.getItem(saved) ?? starts[0]!.text);
  const [catalog, setCatalog] = useState<Catalog | undefined>();
  const [estimate, setEstimate] = useState<Estimate | undefined>();
  const [found, setFound] = useState<{ mistakes: Mistake[]; warnings: Mistake[] }>({ mistakes: [], warnings: [] });
  const [problem, setProblem] = useState<Problem | undefined>();
  const [id, setId] = useState("");
  const [labels, setLabels] = useState("");
  const [busy, setBusy] = useState(false);
  const [Editor, setEditor] = useState<ComponentType<Parameters<typeof import("./Editor").default>[0]> | undefined>();
  const asked = useRef(0);
  const read = useMemo(() => readSpec(text), [text]);
  const from = route.query.get("from");

  useEffect(() => {
    void import("./Editor").then((m) => setEditor(() => m.default));
    loadCatalog().then(setCatalog, (e: unknown) => setProblem(problemOf(e)));
  }, []);
  useEffect(() => {
    if (from === null) return;
    simulations.getSimulation({ name: nameOf(from) }).then(
      (s) => s.spec && setText(toYaml(s.spec)),
      (e: unknown) => setProblem(problemOf(e)),
    );
  }, [from]);
  useEffect(() => {
    window.sessionStorage.setItem(saved, text);
    setEstimate(undefined);
    setFound({ mistakes: read.mistakes, warnings: [] });
    if (read.mistakes.length > 0) return;
    const turn = ++asked.current;
    const timer = window.setTimeout(() => {
      simulations.estimateSimulation({ spec: read.spec }).then(
        (answer) => {
          if (turn !== asked.current) return;
          const of = (severity: Finding_Severity) =>
            answer.findings
              .filter((f) => f.severity === severity)
              .map((f) => ({ line: lineOf(read.lines, f.field), field: f.field, message: f.message }));
          setFound({ mistakes: of(Finding_Severity.ERROR), warnings: of(Finding_Severity.WARNING) });
          setEstimate(answer);
          setProblem(undefined);
        },
        (e: unknown) => turn === asked.current && setProblem(problemOf(e)),
      );
    }, pause);
    return () => clearTimeout(timer);
  }, [text]);

  const run = async () => {
    if (busy || found.mistakes.length > 0) return;
    setBusy(true);
    try {
      const pairs = labels.split(",").map((l) => l.trim()).filter(Boolean).map((l) => l.split(/=(.*)/s));
      const created = await simulations.createSimulation({
        simulationId: id.trim(),
        requestId: newRequestId(),
        simulation: { spec: read.spec, labels: Object.fromEntries(pairs.map(([k, v]) => [k!, v ?? ""])) },
      });
      navigate(`/runs/${idOf(created.name)}`);
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <header class="bar-top">
        <h1>New run</h1>
        <div class="actions">
          <input aria-label="Name of the run" placeholder="name (optional)" value={id} onInput={(e) => setId(e.currentTarget.value)} />
          <input aria-label="Labels" placeholder="labels: study=rate" value={labels} onInput={(e) => setLabels(e.currentTarget.value)} />
          <button type="button" class="primary" disabled={busy || found.mistakes.length > 0 || !estimate} onClick={() => void run()} title="Ctrl+Enter">
            Run
          </button>
        </div>
      </header>
      <Notice problem={problem} />
      <div class="starts" role="group" aria-label="Begin with">
        {starts.map((s) => (
          <button type="button" key={s.name} onClick={() => setText(s.text)} title={s.what}>
            {s.name}
          </button>
        ))}
      </div>
      <Form catalog={catalog} onText={setText} />
      <div class="split">
        <div>
          {Editor ? (
            <Editor text={text} mistakes={found.mistakes} warnings={found.warnings} catalog={catalog} onChange={setText} onRun={() => void run()} />
          ) : (
            <textarea class="plain" aria-label="Specification in YAML" value={text} onInput={(e) => setText(e.currentTarget.value)} rows={24} />
          )}
        </div>
        <Checked estimate={estimate} mistakes={found.mistakes} warnings={found.warnings} />
      </div>
      <h2>What a specification can name</h2>
      <CatalogBrowser catalog={catalog} />
    </>
  );
}
