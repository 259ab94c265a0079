#include "engine/policy/global/session_table.h"

#include <gtest/gtest.h>

#include <list>
#include <utility>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

TEST(SessionTableTest, RemembersTheLastWorker) {
  SessionTable sessions;
  EXPECT_EQ(sessions.Find(0), -1);
  for (int64_t c = 0; c < 10'000; ++c) sessions.Set(c * 1'000'003, static_cast<int32_t>(c % 64));
  for (int64_t c = 0; c < 10'000; c += 2) sessions.Set(c * 1'000'003, 77);
  for (int64_t c = 0; c < 10'000; ++c) {
    EXPECT_EQ(sessions.Find(c * 1'000'003), c % 2 == 0 ? 77 : c % 64);
  }
  EXPECT_EQ(sessions.Find(1), -1);
}

// What was used among the last `kept` conversations is known and right; the size is bounded.
TEST(SessionTableTest, KeepsTheConversationsUsedLast) {
  constexpr size_t kKept = 50;
  RngStream rng(1, "test");
  SessionTable sessions(kKept);
  std::list<std::pair<int64_t, int32_t>> used;  // the last first
  for (int i = 0; i < 20'000; ++i) {
    const auto conversation = static_cast<int64_t>(rng.Below(1 + static_cast<uint64_t>(i) / 50));
    const auto worker = static_cast<int32_t>(rng.Below(64));
    const auto same = [&](const auto& entry) { return entry.first == conversation; };
    used.remove_if(same);
    used.emplace_front(conversation, worker);
    if (used.size() > kKept) used.pop_back();
    sessions.Set(conversation, worker);
    ASSERT_LE(sessions.size(), 2 * kKept);
    for (const auto& [c, w] : used) ASSERT_EQ(sessions.Find(c), w);
  }
  EXPECT_EQ(sessions.Find(1'000'000), -1);
}

}  // namespace
}  // namespace tokensim
