// Specifications to begin with, and the form that writes one.
export type Choice = { model: string; hardware: string; count: number; tensor: number; rate: number; requests: number; lengths: string };

export const firstChoice: Choice = { model: "llama3.1-8b", hardware: "h100", count: 1, tensor: 1, rate: 8, requests: 2000, lengths: "sharegpt" };

export function specText(c: Choice): string {
  const group = [`- name: gpu`, `    hardware: ${c.hardware}`, ...(c.count > 1 ? [`    count: ${c.count}`] : []), ...(c.tensor > 1 ? [`    parallelism: {tensor: ${c.tensor}}`] : [])].join("\n");
  return `name: ${c.model} on ${c.count * c.tensor} x ${c.hardware}, ${c.rate}/s
model: ${c.model}
workers:
  ${group}
workload:
  num_requests: ${c.requests}
  arrival:
    poisson: {rate_per_second: ${c.rate}}
  lengths: ${c.lengths}
slo:
  ttft_seconds: 500ms
  tpot_seconds: 50ms
seed: 1
`;
}

export const starts: { name: string; what: string; text: string }[] = [
  { name: "Chat", what: "one GPU, ShareGPT lengths", text: specText(firstChoice) },
  {
    name: "Prefill and decode apart",
    what: "KV caches move between workers",
    text: `name: prefill and decode apart
model: llama2-7b
workers:
  - {name: prefill, count: 2, hardware: a100-80g, role: prefill, node: 0}
  - {name: decode, count: 2, hardware: a100-80g, role: decode, node: 0}
workload:
  num_requests: 2000
  arrival:
    poisson: {rate_per_second: 20}
  lengths: sharegpt
slo: {ttft_seconds: 1s, tpot_seconds: 50ms}
seed: 1
`,
  },
  {
    name: "Eight replicas behind a router",
    what: "least requests against round robin",
    text: `name: eight replicas
model: llama3.1-8b
workers:
  - {name: gpu, count: 8, hardware: h100}
global_scheduler: least_requests
workload:
  num_requests: 10000
  arrival:
    poisson: {rate_per_second: 120}
  lengths: sharegpt
slo: {ttft_seconds: 500ms, tpot_seconds: 50ms}
seed: 1
`,
  },
  {
    name: "Conversations with a prefix cache",
    what: "turns find what the turn before computed",
    text: `name: conversations
model: llama3.1-8b
workers:
  - {name: gpu, count: 2, hardware: h100, memory: {prefix_caching: true}}
global_scheduler: prefix_affinity
workload:
  num_requests: 4000
  arrival:
    poisson: {rate_per_second: 12}
  lengths: sharegpt
  conversations:
    min_turns: 2
    max_turns: 7
    think_time: {exponential: {mean_seconds: 20s}}
    max_context_tokens: 8192
slo: {ttft_seconds: 500ms, tpot_seconds: 50ms}
seed: 1
`,
  },
];
