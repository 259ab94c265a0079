// Small pieces that every view is made of.
import type { ComponentChildren } from "preact";
import type { Problem } from "../api";
import { stateName } from "../api";
import type { Simulation } from "../gen/tokensim/v1/simulation_pb";

export function Notice({ problem }: { problem: Problem | undefined }) {
  if (!problem) return null;
  return (
    <div class={`notice ${problem.away ? "away" : "bad"}`} role="alert">
      <strong>{problem.away ? "Not connected." : "Error."}</strong> {problem.text}
      {problem.away && " Trying again; what is shown may be old."}
      {problem.fields.length > 0 && (
        <ul>
          {problem.fields.map((f) => (
            <li key={f.field + f.description}>
              <code>{f.field}</code> {f.description}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function State({ simulation }: { simulation: Simulation }) {
  const name = stateName(simulation);
  return <span class={`state ${name}`}>{name}</span>;
}

export function Progress({ share, label }: { share: number; label: string }) {
  const value = Math.round(100 * Math.min(1, Math.max(0, share)));
  return (
    <div class="progress" role="progressbar" aria-label={label} aria-valuenow={value} aria-valuemin={0} aria-valuemax={100}>
      <span style={{ width: `${value}%` }} />
    </div>
  );
}

export function Card({ title, children, note }: { title: string; children: ComponentChildren; note?: ComponentChildren }) {
  return (
    <section class="card">
      <h3>{title}</h3>
      <div class="figure">{children}</div>
      {note && <p class="note">{note}</p>}
    </section>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}
