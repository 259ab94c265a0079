#include "engine/network/max_min_sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// Keeps what the changes say.
class Rates {
 public:
  explicit Rates(std::initializer_list<double> links) {
    for (const double bandwidth : links) sharing_.AddLink(bandwidth);
  }
  void Add(int32_t flow, const Path& path) {
    sharing_.Add(flow, path, {});
    Apply();
  }
  void Remove(int32_t flow) {
    rates_.erase(flow);
    sharing_.Remove(flow);
    Apply();
  }
  [[nodiscard]] const std::map<int32_t, double>& all() const { return rates_; }
  [[nodiscard]] size_t changed() const { return sharing_.changes().size(); }

 private:
  void Apply() {
    for (const RateChange& change : sharing_.changes()) rates_[change.flow] = change.rate;
  }
  MaxMinSharing sharing_;
  std::map<int32_t, double> rates_;
};

// The example of the header.
TEST(MaxMinSharingTest, FillsProgressively) {
  Rates rates({10, 12, 20});
  rates.Add(0, {0, 2});
  EXPECT_THAT(rates.all(), ElementsAre(Pair(0, 10)));
  rates.Add(1, {0, 1});
  EXPECT_THAT(rates.all(), ElementsAre(Pair(0, 5), Pair(1, 5)));
  rates.Add(2, {1, 2});
  EXPECT_THAT(rates.all(), ElementsAre(Pair(0, 5), Pair(1, 5), Pair(2, 7)));
  rates.Add(3, {1});
  EXPECT_THAT(rates.all(), ElementsAre(Pair(0, 6), Pair(1, 4), Pair(2, 4), Pair(3, 4)));
  rates.Remove(1);
  EXPECT_THAT(rates.all(), ElementsAre(Pair(0, 10), Pair(2, 6), Pair(3, 6)));
}

TEST(MaxMinSharingTest, OneFlowOverSeveralBottlenecks) {
  // Kleinrock's line: one long flow over all links, a short one on each.
  Rates rates({30, 20, 10});
  rates.Add(0, {0, 1, 2});
  rates.Add(1, {0});
  rates.Add(2, {1});
  rates.Add(3, {2});
  EXPECT_THAT(rates.all(), ElementsAre(Pair(0, 5), Pair(1, 25), Pair(2, 15), Pair(3, 5)));
}

TEST(MaxMinSharingTest, StrangersAreLeftAlone) {
  Rates rates({10, 10, 10});
  rates.Add(0, {0});
  rates.Add(1, {1, 2});
  EXPECT_EQ(rates.changed(), 1U);
  rates.Remove(0);
  EXPECT_EQ(rates.changed(), 0U);
  EXPECT_THAT(rates.all(), ElementsAre(Pair(1, 10)));
}

TEST(MaxMinSharingTest, LinksWithoutLimit) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Rates rates({0, 10});
  rates.Add(0, {0});
  rates.Add(1, {0, 1});
  rates.Add(2, {});
  EXPECT_THAT(rates.all(), ElementsAre(Pair(0, kInfinity), Pair(1, 10), Pair(2, kInfinity)));
  rates.Remove(0);
  rates.Remove(1);
  rates.Remove(2);
  EXPECT_THAT(rates.all(), IsEmpty());
}

// Max-min fairness by its definition: every flow has a link that is full and on which nobody has
// more (the bottleneck characterisation, Bertsekas and Gallager).
TEST(MaxMinSharingTest, EveryFlowHasABottleneck) {
  RngStream rng(1, "maxmin");
  for (int round = 0; round < 300; ++round) {
    MaxMinSharing sharing;
    const int32_t links = 1 + static_cast<int32_t>(rng.Below(8));
    std::vector<double> bandwidth;
    for (int32_t i = 0; i < links; ++i) {
      bandwidth.push_back(1.0 + static_cast<double>(rng.Below(20)));
      sharing.AddLink(bandwidth.back());
    }
    std::map<int32_t, std::pair<Path, double>> flows;
    for (int32_t step = 0; step < 60; ++step) {
      const auto flow = static_cast<int32_t>(rng.Below(12));
      if (flows.erase(flow) > 0) {
        sharing.Remove(flow);
      } else {
        const auto a = static_cast<LinkId>(rng.Below(static_cast<uint64_t>(links)));
        const auto b = static_cast<LinkId>(rng.Below(static_cast<uint64_t>(links)));
        const Path path = a == b ? Path{a} : Path{a, b};
        flows[flow] = {path, 0.0};
        sharing.Add(flow, path, {});
      }
      for (const RateChange& change : sharing.changes()) flows.at(change.flow).second = change.rate;
      std::vector<double> used(bandwidth.size());
      std::vector<double> most(bandwidth.size());
      for (const auto& [id, f] : flows) {
        for (const LinkId link : f.first) {
          used[static_cast<size_t>(link)] += f.second;
          most[static_cast<size_t>(link)] = std::max(most[static_cast<size_t>(link)], f.second);
        }
      }
      for (size_t i = 0; i < used.size(); ++i) ASSERT_LE(used[i], bandwidth[i] * (1 + 1e-12));
      for (const auto& [id, f] : flows) {
        const double rate = f.second;
        EXPECT_TRUE(std::any_of(f.first.begin(), f.first.end(),
                                [&](LinkId link) {
                                  const auto i = static_cast<size_t>(link);
                                  return used[i] >= bandwidth[i] * (1 - 1e-12) &&
                                         rate >= most[i] * (1 - 1e-12);
                                }))
            << "flow " << id << " at " << rate;
      }
    }
  }
}

}  // namespace
}  // namespace tokensim
