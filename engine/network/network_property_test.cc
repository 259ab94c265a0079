// The network against textbook simulators that keep every group by itself: random topologies,
// random transfers in every mode.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "engine/base/rng.h"
#include "engine/network/network.h"
#include "engine/network/sharing_registry.h"

namespace tokensim {
namespace {

struct Job {
  SimTime start = 0;
  TransferSpec spec;
  double latency = 0;  // nanoseconds, of links and extra
};

// Shared by both references: when groups are ready, given when the earlier ones arrived.
struct Progress {
  int32_t group = 0;  // next to arrive
  std::vector<double> arrivals;
};

double ReadyAt(const Job& job, const Progress& progress) {
  const TransferSpec& s = job.spec;
  double requested = static_cast<double>(job.start);
  if (progress.group >= s.window) {
    requested = progress.arrivals[static_cast<size_t>(progress.group - s.window)];
  }
  double released = static_cast<double>(s.first_release);
  if (progress.group > 0) {
    released += std::floor(static_cast<double>(s.last_release - s.first_release) * progress.group /
                           (s.groups - 1));
  }
  double ready = std::max(requested, released) + job.latency;
  if (!progress.arrivals.empty()) ready = std::max(ready, progress.arrivals.back());
  return ready;
}

double GroupBytes(const TransferSpec& s, int32_t group) {
  return static_cast<double>(s.bytes * (group + 1) / s.groups - s.bytes * group / s.groups);
}

// Rates of all moving jobs by progressive filling over the whole network, from scratch.
std::map<size_t, double> FillAll(const std::vector<Job>& jobs, const std::vector<size_t>& moving,
                                 const std::vector<double>& bandwidth) {
  std::map<size_t, double> rates;
  while (rates.size() < moving.size()) {
    double least = std::numeric_limits<double>::infinity();
    int full = -1;
    for (size_t link = 0; link < bandwidth.size(); ++link) {
      if (bandwidth[link] == 0) continue;
      double left = bandwidth[link];
      int open = 0;
      for (const size_t j : moving) {
        const Path& path = jobs[j].spec.path;
        if (std::count(path.begin(), path.end(), static_cast<LinkId>(link)) == 0) continue;
        if (rates.contains(j)) {
          left -= rates.at(j);
        } else {
          ++open;
        }
      }
      if (open > 0 && left / open < least) {
        least = left / open;
        full = static_cast<int>(link);
      }
    }
    for (const size_t j : moving) {
      const Path& path = jobs[j].spec.path;
      if (rates.contains(j)) continue;
      if (full >= 0 && std::count(path.begin(), path.end(), static_cast<LinkId>(full)) == 0) {
        continue;
      }
      rates[j] = least;
    }
  }
  return rates;
}

// Exact fluid model in continuous time.
std::vector<double> ReferenceFair(const std::vector<Job>& jobs,
                                  const std::vector<double>& bandwidth) {
  std::vector<Progress> progress(jobs.size());
  std::vector<double> left(jobs.size(), -1);  // negative: not moving
  double now = 0;
  for (;;) {
    std::vector<size_t> moving;
    double next = std::numeric_limits<double>::infinity();
    for (size_t j = 0; j < jobs.size(); ++j) {
      if (progress[j].group == jobs[j].spec.groups) continue;
      const double ready = ReadyAt(jobs[j], progress[j]);
      if (left[j] < 0 && ready <= now) left[j] = GroupBytes(jobs[j].spec, progress[j].group);
      if (left[j] >= 0) {
        moving.push_back(j);
      } else {
        next = std::min(next, ready);
      }
    }
    if (moving.empty() && std::isinf(next)) break;
    const std::map<size_t, double> rates = FillAll(jobs, moving, bandwidth);
    for (const size_t j : moving) next = std::min(next, now + left[j] / rates.at(j) * 1e9);
    for (const size_t j : moving) {
      const double end = now + left[j] / rates.at(j) * 1e9;
      if (end <= next * (1 + 1e-15)) {
        left[j] = -1;
        progress[j].arrivals.push_back(next);
        ++progress[j].group;
      } else if (!std::isinf(rates.at(j))) {
        left[j] = std::max(0.0, left[j] - rates.at(j) * (next - now) * 1e-9);
      }
    }
    now = next;
  }
  std::vector<double> ends;
  for (const Progress& p : progress) ends.push_back(p.arrivals.back());
  return ends;
}

// At each moment the first waiting group by (ready, start order) that no earlier one and no moving
// one shares a link with begins to move.
std::vector<double> ReferenceFifo(const std::vector<Job>& jobs,
                                  const std::vector<double>& bandwidth) {
  std::vector<Progress> progress(jobs.size());
  std::vector<double> ends(jobs.size(), -1);  // of the moving group; negative: not moving
  double now = 0;
  for (;;) {
    for (size_t j = 0; j < jobs.size(); ++j) {
      if (ends[j] < 0 || ends[j] > now) continue;
      progress[j].arrivals.push_back(ends[j]);
      ++progress[j].group;
      ends[j] = -1;
    }
    std::vector<std::pair<double, size_t>> waiting;
    double next = std::numeric_limits<double>::infinity();
    for (size_t j = 0; j < jobs.size(); ++j) {
      if (progress[j].group == jobs[j].spec.groups || ends[j] >= 0) continue;
      // The key: without waiting for the group before.
      Progress alone = progress[j];
      alone.arrivals.push_back(-1);
      const double ready = ReadyAt(jobs[j], alone);
      if (ready <= now) {
        waiting.emplace_back(ready, j);
      } else {
        next = std::min(next, ready);
      }
    }
    std::sort(waiting.begin(), waiting.end());
    std::vector<bool> taken(bandwidth.size());
    for (size_t j = 0; j < jobs.size(); ++j) {
      if (ends[j] < 0) continue;
      for (const LinkId link : jobs[j].spec.path) taken[static_cast<size_t>(link)] = true;
    }
    bool again = false;
    for (const auto& [ready, j] : waiting) {
      const Path& path = jobs[j].spec.path;
      const bool blocked = std::any_of(
          path.begin(), path.end(), [&](LinkId link) { return taken[static_cast<size_t>(link)]; });
      double rate = std::numeric_limits<double>::infinity();
      for (const LinkId link : path) {
        taken[static_cast<size_t>(link)] = true;
        const double b = bandwidth[static_cast<size_t>(link)];
        if (b > 0) rate = std::min(rate, b);
      }
      if (blocked) continue;
      ends[j] = now + std::ceil(GroupBytes(jobs[j].spec, progress[j].group) / rate * 1e9 - 1e-3);
      again = again || ends[j] <= now;
    }
    if (again) continue;
    for (const double end : ends) {
      if (end >= 0) next = std::min(next, end);
    }
    if (std::isinf(next)) break;
    now = next;
  }
  std::vector<double> last;
  for (const Progress& p : progress) last.push_back(p.arrivals.back());
  return last;
}

struct Scenario {
  NetworkConfig config;
  std::vector<int32_t> nodes;
  std::vector<LinkConfig> added;
  std::vector<double> bandwidth;
  std::vector<Job> jobs;
  int32_t groups = 0;
};

class Draws {
 public:
  explicit Draws(uint64_t seed) : rng_(seed, "network") {}
  int64_t Below(int64_t n) { return static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(n))); }
  LinkConfig Link() {
    LinkConfig link;
    if (Below(8) != 0) link.bandwidth_bytes_per_second = 1e8 * static_cast<double>(1 + Below(30));
    link.latency_seconds = Below(2) == 0 ? 0 : static_cast<double>(Below(20'000)) * 1e-9;
    return link;
  }

 private:
  RngStream rng_;
};

TransferSpec RandomTransfer(Draws& draws, const Scenario& s, const Network& network) {
  TransferSpec spec;
  const auto workers = static_cast<int64_t>(s.nodes.size());
  const auto from = static_cast<int32_t>(draws.Below(workers));
  const auto to = static_cast<int32_t>(draws.Below(workers));
  if (from != to) spec.path = network.WorkerPath(from, to);
  if (!s.added.empty() && draws.Below(3) == 0) spec.path.Append(network.links() - 1);
  spec.bytes = draws.Below(10) == 0 ? draws.Below(3) : draws.Below(400'000);
  spec.groups = static_cast<int32_t>(1 + draws.Below(5));
  spec.window = static_cast<int32_t>(1 + draws.Below(6));
  if (draws.Below(3) == 0) {
    spec.first_release = draws.Below(1'000'000);
    spec.last_release = spec.first_release + draws.Below(300'000);
  }
  if (draws.Below(4) == 0)
    spec.extra_latency_seconds = static_cast<double>(draws.Below(999)) * 1e-9;
  return spec;
}

Scenario RandomScenario(uint64_t seed) {
  Draws draws(seed);
  Scenario s;
  s.config.intra_node = draws.Link();
  s.config.inter_node = draws.Link();
  s.config.sharing = SharingRules().Make(seed % 2 == 0 ? "fair" : "fifo");
  for (int64_t i = 2 + draws.Below(5); i > 0; --i) {
    s.nodes.push_back(static_cast<int32_t>(draws.Below(3)));
  }
  if (draws.Below(2) == 0) s.added.push_back(draws.Link());
  Network network(s.config, s.nodes);
  for (const LinkConfig& link : s.added) network.AddLink(link);
  for (LinkId link = 0; link < network.links(); ++link) {
    s.bandwidth.push_back(network.Stats(link, 0).bytes_per_second);
  }
  SimTime start = 0;
  for (int64_t i = 1 + draws.Below(25); i > 0; --i) {
    if (draws.Below(3) != 0) start += draws.Below(100'000);
    Job job{.start = start, .spec = RandomTransfer(draws, s, network)};
    const bool worker_path = job.spec.path.begin() != job.spec.path.end();
    double latency = job.spec.extra_latency_seconds;
    for (const LinkId link : job.spec.path) {
      if (!s.added.empty() && link == network.links() - 1) {
        latency += s.added[0].latency_seconds;
      } else if (worker_path && link % 2 == 0) {
        const auto ports = static_cast<LinkId>(2 * s.nodes.size());
        latency += (link < ports ? s.config.intra_node : s.config.inter_node).latency_seconds;
      }
    }
    job.latency = std::round(latency * 1e9);
    s.groups += job.spec.groups;
    s.jobs.push_back(job);
  }
  return s;
}

std::vector<CompletedTransfer> RunNetwork(const Scenario& s, Network& network) {
  std::vector<CompletedTransfer> done;
  for (size_t j = 0; j < s.jobs.size(); ++j) {
    network.Advance(s.jobs[j].start, &done);
    network.Start(s.jobs[j].start, s.jobs[j].spec, j);
  }
  while (network.NextEvent() != kNever) network.Advance(network.NextEvent(), &done);
  return done;
}

class NetworkPropertyTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(NetworkPropertyTest, EqualsTheReference) {
  for (uint64_t i = 0; i < 100; ++i) {
    const Scenario s = RandomScenario(GetParam() * 1000 + i);
    SCOPED_TRACE(GetParam() * 1000 + i);
    Network network(s.config, s.nodes);
    for (const LinkConfig& link : s.added) network.AddLink(link);
    const std::vector<CompletedTransfer> done = RunNetwork(s, network);
    ASSERT_EQ(done.size(), s.jobs.size());
    const bool fair = s.config.sharing->name() == "fair";
    const std::vector<double> expected =
        fair ? ReferenceFair(s.jobs, s.bandwidth) : ReferenceFifo(s.jobs, s.bandwidth);
    // Fair: each group of all transfers may have been rounded up by a nanosecond.
    const double tolerance = fair ? s.groups : 0;
    for (size_t d = 0; d < done.size(); ++d) {
      EXPECT_NEAR(static_cast<double>(done[d].end), expected[done[d].tag], tolerance)
          << "transfer " << done[d].tag;
      if (d > 0) {
        EXPECT_LE(std::pair(done[d - 1].end, done[d - 1].id), std::pair(done[d].end, done[d].id));
      }
    }
    // Every byte arrived over every link of its path; no link was busy for less than they need.
    const SimTime end = done.back().end;
    std::vector<int64_t> bytes(s.bandwidth.size());
    for (const Job& job : s.jobs) {
      for (const LinkId link : job.spec.path) bytes[static_cast<size_t>(link)] += job.spec.bytes;
    }
    for (LinkId link = 0; link < network.links(); ++link) {
      const LinkStats stats = network.Stats(link, end);
      EXPECT_EQ(stats.bytes, bytes[static_cast<size_t>(link)]);
      if (stats.bytes_per_second == 0) continue;
      EXPECT_GE(static_cast<double>(stats.busy) + 1e-3,
                static_cast<double>(stats.bytes) / stats.bytes_per_second * 1e9);
      EXPECT_LE(stats.busy, end);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, NetworkPropertyTest, ::testing::Range<uint64_t>(0, 10));

}  // namespace
}  // namespace tokensim
