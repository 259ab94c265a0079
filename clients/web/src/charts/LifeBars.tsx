// The lives of requests as bars: queued, prefill, decode, all on one scale.
import type { RequestRecord } from "../gen/tokensim/v1/report_pb";
import { count, seconds } from "../format";

const parts = [
  { name: "queued", color: "#e69f00" },
  { name: "prefill", color: "#0072b2" },
  { name: "decode", color: "#009e73" },
];

export function LifeBars({ records, workers }: { records: RequestRecord[]; workers: string[] }) {
  const longest = Math.max(1, ...records.map((r) => Number(r.finishNs - r.arrivalNs)));
  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">Slowest requests</span>
        <span class="legend">
          {parts.map((p) => (
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
            {records.map((r) => {
              const spans = [
                Number(r.scheduledNs - r.arrivalNs),
                Number(r.firstTokenNs - r.scheduledNs),
                Number(r.finishNs - r.firstTokenNs),
              ];
              const told = spans.map((s, i) => `${parts[i]!.name} ${seconds(s / 1e9)}`).join(", ");
              return (
                <tr key={String(r.requestId)}>
                  <td>{count(r.requestId)}</td>
                  <td class="wide">
                    <div class="bar" role="img" aria-label={told} title={told}>
                      {spans.map((s, i) => (
                        <span key={i} style={{ width: `${(100 * s) / longest}%`, background: parts[i]!.color }} />
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
