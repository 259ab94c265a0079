#include "engine/network/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "engine/base/invariant.h"
#include "engine/network/sharing_registry.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// 1 GB/s is a byte per nanosecond: bytes and times have the same figures.
constexpr double kByteANano = 1e9;

NetworkConfig Config(std::string_view sharing, double latency_seconds = 0) {
  NetworkConfig config;
  config.intra_node = {"fast", kByteANano, latency_seconds};
  config.inter_node = {"slow", kByteANano / 10, latency_seconds};
  config.sharing = SharingRules().Make(sharing);
  return config;
}

// Workers 0, 1, 2 on node 0; 3, 4 on node 1; 5 on node 4.
const int32_t kNodes[] = {0, 0, 0, 1, 1, 4};

class Driver {
 public:
  explicit Driver(const NetworkConfig& config) : network(config, kNodes) {}

  TransferId Start(SimTime now, const Path& path, int64_t bytes) {
    AdvanceTo(now);
    return network.Start(now, {.path = path, .bytes = bytes}, next_tag_++);
  }
  TransferId Start(SimTime now, const TransferSpec& spec) {
    AdvanceTo(now);
    return network.Start(now, spec, next_tag_++);
  }
  void AdvanceTo(SimTime now) { network.Advance(now, &done_); }
  // (tag, end) of everything, in the order of completion.
  std::vector<std::pair<uint64_t, SimTime>> Finish() {
    while (network.NextEvent() != kNever) network.Advance(network.NextEvent(), &done_);
    EXPECT_EQ(network.active(), 0);
    std::vector<std::pair<uint64_t, SimTime>> ends;
    for (const CompletedTransfer& d : done_) ends.emplace_back(d.tag, d.end);
    return ends;
  }
  [[nodiscard]] const std::vector<CompletedTransfer>& done() const { return done_; }

  Network network;

 private:
  std::vector<CompletedTransfer> done_;
  uint64_t next_tag_ = 0;
};

std::vector<std::string> Names(const Network& network, const Path& path) {
  std::vector<std::string> names;
  for (const LinkId link : path) {
    const LinkStats stats = network.Stats(link, 0);
    names.push_back(std::to_string(stats.owner_index) + " " + std::string(stats.name));
  }
  return names;
}

TEST(NetworkTest, PathsFollowTheNodes) {
  const Network network(Config("fair"), kNodes);
  EXPECT_THAT(Names(network, network.WorkerPath(0, 2)),
              ElementsAre("0 intra-node out", "2 intra-node in"));
  EXPECT_THAT(Names(network, network.WorkerPath(4, 3)),
              ElementsAre("4 intra-node out", "3 intra-node in"));
  EXPECT_THAT(Names(network, network.WorkerPath(1, 5)),
              ElementsAre("0 inter-node out", "4 inter-node in"));
  EXPECT_EQ(network.links(), 2 * 6 + 2 * 3);
}

TEST(NetworkTest, OneTransferTakesLatencyAndBytesOverBandwidth) {
  for (const std::string_view sharing : {"fifo", "fair"}) {
    Driver d(Config(sharing, 5e-6));
    EXPECT_EQ(d.network.NextEvent(), kNever);
    d.Start(100, d.network.WorkerPath(0, 1), 1000);
    d.Start(200, d.network.WorkerPath(0, 3), 1000);
    EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 100 + 5000 + 1000), Pair(1, 200 + 5000 + 10000)));
    EXPECT_EQ(d.done()[1].start, 200);
    EXPECT_EQ(d.done()[1].bytes, 1000);
  }
}

// Three links (ports out of 0 and 1, ports in of 1 and 2) at 1 byte/ns:
//   A 0 -> 1, B 0 -> 2, C 1 -> 2
// t = 0: A alone, 1. t = 100: B joins, A and B at 1/2 (out of 0). t = 200: C meets B on the port
// into 2: both 1/2, as B is. A: 100 + 50 left at 200.
TEST(NetworkTest, FairByHand) {
  Driver d(Config("fair"));
  d.Start(0, d.network.WorkerPath(0, 1), 250);    // 100 at t = 100, 150 left at 1/2: t = 400
  d.Start(100, d.network.WorkerPath(0, 2), 400);  // 150 at t = 400; then 1/2: 500 later
  d.Start(200, d.network.WorkerPath(1, 2), 300);  // 1/2 throughout: t = 800
  // At 800 C is done; B has 150 + 200 = 350, goes on at 1: t = 850.
  EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 400), Pair(2, 800), Pair(1, 850)));
}

// Links of different bandwidths: 10, 12 and 20 bytes/ns, flows as in max_min_sharing.h.
TEST(NetworkTest, FairWithDifferentBottlenecks) {
  Driver d(Config("fair"));
  const LinkId l1 = d.network.AddLink({"l1", 10 * kByteANano, 0});
  const LinkId l2 = d.network.AddLink({"l2", 12 * kByteANano, 0});
  const LinkId l3 = d.network.AddLink({"l3", 20 * kByteANano, 0});
  d.Start(0, {l1, l3}, 1200);  // A 6
  d.Start(0, {l1, l2}, 400);   // B 4: done at 100
  d.Start(0, {l2, l3}, 1000);  // C 4
  d.Start(0, {l2}, 1600);      // D 4
  // At 100: A has 600 left at 10: 160. C has 600, D 1200 left at 6: C at 200.
  // At 200: D has 600 left at 12: 250.
  EXPECT_THAT(d.Finish(), ElementsAre(Pair(1, 100), Pair(0, 160), Pair(2, 200), Pair(3, 250)));
}

TEST(NetworkTest, FairRoundsUpOnce) {
  Driver d(Config("fair"));
  const LinkId link = d.network.AddLink({"third", kByteANano * 3, 0});
  d.Start(0, {link}, 1000);  // 333.3 ns
  EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 334)));
}

TEST(NetworkTest, FifoByHand) {
  Driver d(Config("fifo"));
  d.Start(0, d.network.WorkerPath(0, 1), 100);
  d.Start(10, d.network.WorkerPath(0, 2), 100);  // waits for the port out of 0: 100 .. 200
  d.Start(20, d.network.WorkerPath(1, 2), 100);  // behind it on the port into 2: 200 .. 300
  d.Start(30, d.network.WorkerPath(1, 0), 50);   // behind that on the port out of 1: 300 .. 350
  d.Start(40, d.network.WorkerPath(2, 1), 500);  // from 100 on, when the port into 1 is free
  EXPECT_THAT(d.Finish(),
              ElementsAre(Pair(0, 100), Pair(1, 200), Pair(2, 300), Pair(3, 350), Pair(4, 600)));
}

TEST(NetworkTest, FifoOrderIsThatOfReadiness) {
  Driver d(Config("fifo"));
  const LinkId link = d.network.AddLink({"pool", kByteANano, 0});
  d.Start(0, {link}, 100);
  d.Start(10, {.path = {link}, .bytes = 100, .extra_latency_seconds = 50e-9});  // at the link at 60
  d.Start(20, {link}, 100);
  EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 100), Pair(2, 200), Pair(1, 300)));
}

TEST(NetworkTest, EqualTimesGoByTheOrderOfTheStarts) {
  for (const std::string_view sharing : {"fifo", "fair"}) {
    Driver d(Config(sharing));
    const Path path = d.network.WorkerPath(0, 1);
    // The second is found complete first: the first still has an empty group to send.
    d.network.Start(5, {.path = path, .bytes = 0, .groups = 3}, 7);
    d.network.Start(5, {.path = {}, .bytes = 10}, 8);
    EXPECT_EQ(d.network.NextEvent(), 5);
    EXPECT_THAT(d.Finish(), ElementsAre(Pair(7, 5), Pair(8, 5)));
  }
  Driver fair(Config("fair"));
  fair.Start(0, fair.network.WorkerPath(0, 1), 100);
  fair.Start(0, fair.network.WorkerPath(0, 2), 100);
  EXPECT_THAT(fair.Finish(), ElementsAre(Pair(0, 200), Pair(1, 200)));
}

// Groups of s ns and latency L: sequential G (L + s); a window of k either hides the latency
// (k - 1) s >= L, or adds a pause every k groups.
TEST(NetworkTest, SequentialAndBufferedTakeTheirClosedForms) {
  for (const std::string_view sharing : {"fifo", "fair"}) {
    for (const int32_t groups : {1, 2, 5, 8}) {
      for (const int32_t window : {1, 2, 3, 4, 8, 20}) {
        for (const int64_t latency : {0, 70, 100, 250, 1000}) {
          constexpr int64_t kGroup = 100;
          Driver d(Config(sharing, static_cast<double>(latency) * 1e-9));
          d.Start(0, {.path = d.network.WorkerPath(0, 1),
                      .bytes = groups * kGroup,
                      .groups = groups,
                      .window = window});
          int64_t expected = latency + groups * kGroup;
          if ((window - 1) * kGroup < latency) {
            expected = (groups - 1) / window * (latency + kGroup) + latency +
                       ((groups - 1) % window + 1) * kGroup;
          }
          EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, expected)))
              << groups << " groups, window " << window << ", latency " << latency;
        }
      }
    }
  }
}

TEST(NetworkTest, LayersOverlapTheirComputation) {
  NetworkConfig config = Config("fair", 50e-9);
  config.mode = TransferMode::kLayerwise;
  Driver d(config);
  // Four layers, ready at 1000, 2000, 3000, 4000; 100 ns of bytes each: only the last shows.
  d.Start(0, d.network.KvTransfer({.from = 0,
                                   .to = 1,
                                   .bytes = 400,
                                   .layers = 4,
                                   .first_layer = 1000,
                                   .last_layer = 4000}));
  // The link is the slower: 2000 ns a layer, from the first layer on.
  d.Start(0, d.network.KvTransfer({.from = 3,
                                   .to = 4,
                                   .bytes = 8000,
                                   .layers = 4,
                                   .first_layer = 1000,
                                   .last_layer = 4000}));
  EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 4000 + 50 + 100), Pair(1, 1000 + 50 + 8000)));
}

TEST(NetworkTest, OtherModesSendAfterTheLastLayer) {
  NetworkConfig config = Config("fair", 50e-9);
  config.groups = 2;
  const KvTransferRequest request{
      .from = 0, .to = 1, .bytes = 200, .layers = 9, .first_layer = 100, .last_layer = 1000};
  Driver sequential(config);
  sequential.Start(0, sequential.network.KvTransfer(request));
  EXPECT_THAT(sequential.Finish(), ElementsAre(Pair(0, 1000 + 2 * 150)));
  config.mode = TransferMode::kBuffered;
  Driver buffered(config);
  buffered.Start(0, buffered.network.KvTransfer(request));
  EXPECT_THAT(buffered.Finish(), ElementsAre(Pair(0, 1000 + 50 + 200)));
}

// Four groups of 50 ns, two of them under way: the third is requested when the first is there.
//   0: 1120 .. 1170, 1: .. 1220, 2: 1170 + 120 .. 1340, 3: .. 1390
TEST(NetworkTest, BufferedHasSoManyGroupsUnderWay) {
  NetworkConfig config = Config("fair", 120e-9);
  config.mode = TransferMode::kBuffered;
  config.groups = 4;
  config.buffered_groups = 2;
  Driver d(config);
  d.Start(1000, d.network.KvTransfer({.from = 0, .to = 1, .bytes = 200, .last_layer = 1000}));
  EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 1390)));
}

TEST(NetworkTest, CancelFreesTheLinks) {
  for (const std::string_view sharing : {"fifo", "fair"}) {
    Driver d(Config(sharing));
    const Path path = d.network.WorkerPath(0, 1);
    const TransferId first = d.Start(0, path, 1000);
    const TransferId second = d.Start(0, path, 1000);
    d.Start(0, path, 1000);
    d.AdvanceTo(100);
    EXPECT_TRUE(d.network.Cancel(100, second));  // fifo: from the queue
    EXPECT_TRUE(d.network.Cancel(100, first));
    EXPECT_FALSE(d.network.Cancel(100, first));
    EXPECT_FALSE(d.network.Cancel(100, kNoTransfer));
    EXPECT_EQ(d.network.active(), 1);
    // fair: a third of 100 ns is done, 966.7 bytes are left.
    const SimTime end = sharing == "fifo" ? 1100 : 1067;
    EXPECT_THAT(d.Finish(), ElementsAre(Pair(2, end)));
    for (const LinkId link : path) {
      EXPECT_EQ(d.network.Stats(link, end).bytes, 1000);
      EXPECT_EQ(d.network.Stats(link, end).transfers, 1);
      EXPECT_EQ(d.network.Stats(link, end).busy, end);
    }
    // The slot is used again; the old id stays unknown.
    EXPECT_NE(d.Start(2000, path, 10), first);
    EXPECT_FALSE(d.network.Cancel(2000, first));
  }
}

TEST(NetworkTest, ACancelledTransferLeavesItsLinksIdle) {
  for (const std::string_view sharing : {"fifo", "fair"}) {
    Driver d(Config(sharing));
    const Path path = d.network.WorkerPath(0, 1);
    const TransferId id = d.Start(0, path, 1000);
    d.AdvanceTo(300);
    EXPECT_TRUE(d.network.Cancel(300, id));
    for (const LinkId link : path) {
      EXPECT_EQ(d.network.Stats(link, 300).busy, 300);
      EXPECT_EQ(d.network.Stats(link, 2000).busy, 300) << "nothing moves any more";
      EXPECT_EQ(d.network.Stats(link, 2000).transfers, 0);
    }
    d.Start(2000, path, 100);
    EXPECT_THAT(d.Finish(), ElementsAre(Pair(1, 2100)));
    EXPECT_EQ(d.network.Stats(*path.begin(), 3000).busy, 400);
  }
}

TEST(NetworkTest, CancelBeforeTheGroupIsReady) {
  Driver d(Config("fair", 1e-3));
  const TransferId id = d.Start(0, d.network.WorkerPath(0, 1), 100);
  EXPECT_TRUE(d.network.Cancel(10, id));
  EXPECT_EQ(d.network.NextEvent(), kNever);
  EXPECT_THAT(d.Finish(), IsEmpty());
}

TEST(NetworkTest, StatsCountWhatArrived) {
  Driver d(Config("fair", 50e-9));
  const Path path = d.network.WorkerPath(0, 1);
  d.Start(0, {.path = path, .bytes = 101, .groups = 2});  // 50, then 51 bytes
  d.AdvanceTo(120);
  const LinkId out = *path.begin();
  EXPECT_EQ(d.network.Stats(out, 120).bytes, 50);
  EXPECT_EQ(d.network.Stats(out, 120).transfers, 0);
  EXPECT_EQ(d.network.Stats(out, 120).busy, 50);
  d.AdvanceTo(170);
  EXPECT_EQ(d.network.Stats(out, 170).busy, 70);  // the second from 150 on
  EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 201)));
  EXPECT_EQ(d.network.Stats(out, 1000).bytes, 101);
  EXPECT_EQ(d.network.Stats(out, 1000).busy, 101);
  EXPECT_EQ(d.network.Stats(out, 1000).bytes_per_second, kByteANano);
  const LinkId pool = d.network.AddLink({"pool", 1e9, 0});
  EXPECT_EQ(d.network.Stats(pool, 0).name, "pool");
}

TEST(NetworkTest, WithoutLimitOnlyLatencyCounts) {
  NetworkConfig config;
  config.intra_node.latency_seconds = 1e-6;
  for (const std::string_view sharing : {"fifo", "fair"}) {
    config.sharing = SharingRules().Make(sharing);
    Driver d(config);
    d.Start(0, {.path = d.network.WorkerPath(0, 1), .bytes = int64_t{1} << 60, .groups = 3});
    d.Start(0, {.path = {}, .bytes = 5, .groups = 2, .extra_latency_seconds = 2e-6});
    EXPECT_THAT(d.Finish(), ElementsAre(Pair(0, 3000), Pair(1, 4000)));
  }
}

TEST(NetworkTest, TransfersThatTimeDoesNotHoldEndLast) {
  NetworkConfig config;
  config.intra_node.bandwidth_bytes_per_second = 1e-9;
  Driver d(config);
  const TransferId id = d.Start(0, d.network.WorkerPath(0, 1), int64_t{1} << 60);
  d.AdvanceTo(10);
  EXPECT_EQ(d.network.NextEvent(), kNever - 1);
  EXPECT_TRUE(d.network.Cancel(10, id));
  // Nor a release that late.
  d.Start(10, {.bytes = 1, .first_release = kNever, .last_release = kNever});
  EXPECT_EQ(d.network.NextEvent(), kNever - 1);
}

TEST(NetworkTest, BytesOfALinkDoNotOverflow) {
  Driver d(NetworkConfig{});
  const Path path = d.network.WorkerPath(0, 1);
  for (int i = 0; i < 9; ++i) d.Start(i, path, int64_t{1} << 60);
  d.Finish();
  EXPECT_EQ(d.network.Stats(*path.begin(), 100).bytes, std::numeric_limits<int64_t>::max());
}

TEST(NetworkTest, StartsBehindEventsAreOurBugs) {
  Driver d(Config("fair"));
  d.Start(0, d.network.WorkerPath(0, 1), 100);
  EXPECT_THROW(d.network.Start(101, {}, 0), InvariantError);
}

TEST(Network, ATransferGoesAtTheSlowerOfItsEnds) {
  NetworkConfig config = Config("fair");
  config.connections.assign(std::size(kNodes), {"fast", kByteANano, 3e-9});
  config.connections[1] = {"slow", kByteANano / 4, 5e-9};
  const auto end = [&](int32_t from, int32_t to) {
    Driver driver(config);
    driver.Start(0, driver.network.WorkerPath(from, to), 1'000);
    return driver.Finish()[0].second;
  };
  EXPECT_EQ(end(0, 2), 1'003);
  EXPECT_EQ(end(0, 1), 4'005);
  EXPECT_EQ(end(1, 0), 4'005);
  EXPECT_EQ(end(0, 3), 10'000) << "to another node over the links of the nodes";
}

TEST(Network, ASlowReceiverLeavesTheRestOfTheSender) {
  NetworkConfig config = Config("fair");
  config.connections.assign(std::size(kNodes), {"fast", kByteANano, 0});
  config.connections[1] = {"slow", kByteANano / 4, 0};
  Driver driver(config);
  driver.Start(0, driver.network.WorkerPath(0, 1), 1'000);
  driver.Start(0, driver.network.WorkerPath(0, 2), 1'500);
  // 1/4 and 3/4 of the sender's link: the second ends at 2,000, the first at 4,000.
  EXPECT_THAT(driver.Finish(), ElementsAre(Pair(1, 2'000), Pair(0, 4'000)));
}

}  // namespace
}  // namespace tokensim
