// The lives of requests as bars: what it did when, all on one scale.
import { useState } from "preact/hooks";
import { lifeOf, parts } from "../data/life";
import type { RequestRecord } from "../gen/tokensim/v1/report_pb";
import { count, seconds } from "../format";
import { colorOf } from "./palette";

const colors = [4, 0, 3, 2].map(colorOf);

type Props = { toEnd: RequestRecord[]; toStart: RequestRecord[]; workers: string[] };

// The slowest to their end, or to their first token: then bars end there.
export function LifeBars({ toEnd, toStart, workers }: Props) {
  const [start, setStart] = useState(false);
  const records = start ? toStart : toEnd;
  const ends = (r: RequestRecord) => Number((start ? r.firstTokenNs : r.finishNs) - r.arrivalNs) / 1e9;
  const longest = Math.max(1e-9, ...records.map(ends));
  const lives = records.map((r) => lifeOf(r).slice(0, start ? 2 : parts.length));
  const shown = parts.map((name, i) => ({ name, color: colors[i]! })).filter((_, i) => lives.some((life) => (life[i] ?? 0) > 0));
  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">
          Slowest requests{" "}
          <select aria-label="Slowest by" value={start ? "ttft" : "e2e"} onChange={(e) => setStart(e.currentTarget.value === "ttft")}>
            <option value="e2e">to their end</option>
            <option value="ttft">to their first token</option>
          </select>
        </span>
        <span class="legend">
          {shown.map((p) => (
            <span key={p.name}>
              <i style={{ background: p.color }} />
              {p.name}
            </span>
          ))}
        </span>
      </figcaption>
      <div class="scroll">
        <table class="bars">
          <thead>
            <tr>
              <th scope="col">request</th>
              <th scope="col" class="wide">life</th>
              <th scope="col" class="n">TTFT</th>
              <th scope="col" class="n">E2E</th>
              <th scope="col" class="n">tokens</th>
              <th scope="col" class="n">preempted</th>
              <th scope="col">worker</th>
            </tr>
          </thead>
          <tbody>
            {records.map((r, row) => {
              const spans = lives[row]!;
              const told = spans.flatMap((s, i) => (s > 0 ? [`${parts[i]} ${seconds(s)}`] : [])).join(", ");
              return (
                <tr key={String(r.requestId)}>
                  <td>{count(r.requestId)}</td>
                  <td class="wide">
                    <div class="bar" role="img" aria-label={told} title={told}>
                      {spans.map((s, i) => (
                        <span key={i} style={{ width: `${(100 * s) / longest}%`, background: colors[i]! }} />
                      ))}
                    </div>
                  </td>
                  <td class="n">{seconds(Number(r.firstTokenNs - r.arrivalNs) / 1e9)}</td>
                  <td class="n">{seconds(Number(r.finishNs - r.arrivalNs) / 1e9)}</td>
                  <td class="n">
                    {count(r.inputTokens)} + {count(r.outputTokens)}
                  </td>
                  <td class="n">{r.preemptions || ""}</td>
                  <td>{workers[r.worker] ?? r.worker}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
