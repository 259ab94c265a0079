// Models, hardware and policies, with what each is and where its figures come from.
import { useState } from "preact/hooks";
import type { Catalog, PolicyEntry } from "../gen/tokensim/v1/catalog_pb";

type Entry = { name: string; what: string; source: string };

const policies = (entries: PolicyEntry[]): Entry[] =>
  entries.map((e) => ({
    name: e.name,
    what: e.description,
    source: e.parameters.map((p) => `${p.name}${p.allowed ? ` (${p.allowed})` : ""}${p.defaultValue ? ` = ${p.defaultValue}` : ""}`).join(", "),
  }));

function sections(c: Catalog): Record<string, Entry[]> {
  return {
    models: c.models.map((m) => ({ name: m.preset, what: m.name, source: m.source })),
    hardware: c.hardware.map((h) => ({ name: h.preset, what: h.name, source: h.source })),
    engines: c.engines.map((e) => ({ name: e.preset, what: e.name, source: e.source })),
    "local schedulers": policies(c.localSchedulers),
    "global schedulers": policies(c.globalSchedulers),
    "queue orders": policies(c.queueOrders),
    arrivals: policies(c.arrivals),
    calibrations: policies(c.calibrations),
    "compute models": policies(c.computeBackends),
  };
}

export function CatalogBrowser({ catalog }: { catalog: Catalog | undefined }) {
  const [kind, setKind] = useState("models");
  const [search, setSearch] = useState("");
  if (!catalog) return null;
  const all = sections(catalog);
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = (all[kind] ?? []).filter((e) => words.every((w) => `${e.name} ${e.what}`.toLowerCase().includes(w)));
  return (
    <>
      <div class="tools">
        <select aria-label="Kind" value={kind} onChange={(e) => setKind(e.currentTarget.value)}>
          {Object.entries(all).map(([name, entries]) => (
            <option key={name} value={name}>
              {name} ({entries.length})
            </option>
          ))}
        </select>
        <input type="search" aria-label="Search the catalog" placeholder="Search" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
      </div>
      <div class="scroll short">
        <table class="list">
          <tbody>
            {shown.map((e) => (
              <tr key={e.name}>
                <td>
                  <code>{e.name}</code>
                </td>
                <td>{e.what}</td>
                <td class="quiet source">{e.source}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
