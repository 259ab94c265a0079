"""Figure 7: run time with transfers of KV caches."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table

KV_BYTES_PER_TOKEN = 2 * 32 * 4096 * 2  # keys and values, layers, hidden size, 16 bit


def run(e: Experiment) -> Outcome:
    rows = []
    for link, preset in e["links"].items():
        changes = [{"workload.num_requests": n, "network.intra_node": preset} for n in e["requests"]]
        for requests, result in zip(e["requests"], e.run_many(changes)):
            report = result.report
            rows.append({"link": link, "requests": requests, "run_seconds": report.simulated_seconds,
                         "arrivals_seconds": max(result.requests()["arrival_s"]),
                         "kv_transfer_mean_seconds": report.transfers.kv_transfer_seconds.mean,
                         "e2e_mean_seconds": report.e2e_seconds.mean})
    table = Table.from_rows(rows)
    transfers = {link: table.where(link=link)["kv_transfer_mean_seconds"][0] for link in e["links"]}
    # The prompt and the first token have their KV by then.
    by_hand = {"NVLink 3": 64 * KV_BYTES_PER_TOKEN / 300e9, "PCIe 4": 64 * KV_BYTES_PER_TOKEN / 32e9}
    lag = [t - a for t, a in zip(table["run_seconds"], table["arrivals_seconds"])]
    e2e = [table.where(link=link)["e2e_mean_seconds"][-1] for link in e["links"]]
    checks = [
        Check("two A100s keep up: the run ends within 2 s of the last arrival", max(lag) < 2,
              f"{table['run_seconds'][0]:.1f} s for {e['requests'][0]:,} requests to "
              f"{table['run_seconds'][len(e['requests']) - 1]:.0f} s for {e['requests'][-1]:,} "
              f"(N / 8: {e['requests'][-1] / 8:.0f} s)"),
        Check("a transfer takes its bytes over the bandwidth of the link, within 10 %",
              all(abs(transfers[link] / by_hand[link] - 1) < 0.1 for link in by_hand),
              ", ".join(f"{link} {1e3 * transfers[link]:.3f} ms ({1e3 * by_hand[link]:.3f} by hand)" for link in by_hand)),
        Check("the link is not seen in the latency: a cache is loaded beside one iteration, whatever the link",
              abs(e2e[0] / e2e[1] - 1) < 0.01, f"mean end-to-end latency {e2e[0]:.4f} and {e2e[1]:.4f} s"),
    ]
    picture, axes = plots.figure()
    for link, line in zip(e["links"], ("-", "--")):
        part = table.where(link=link)
        axes.plot(part["requests"], part["run_seconds"], linestyle=line, label=link)
    axes.plot(e["requests"], [n / 8 for n in e["requests"]], color="0.5", linestyle=":", marker="", label="N / 8")
    axes.set(xlabel="requests", ylabel="simulated run time, s")
    plots.legend(axes)
    return Outcome({"fig07": table}, {"fig07": picture}, checks)
