#include "engine/worker/waiting_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

std::vector<RequestHandle> Drained(WaitingQueue queue) {
  std::vector<RequestHandle> requests;
  queue.Drain(&requests);
  EXPECT_TRUE(queue.empty());
  return requests;
}
using Requests = std::vector<RequestHandle>;

TEST(WaitingQueueTest, ArrivalIgnoresKeysAndClasses) {
  WaitingQueue queue(QueueKind::kArrival);
  queue.push_back(1, 30, 0);
  queue.push_back(2, 10, 0);
  queue.push_back(3, 20, 0);
  queue.push_front(8, 99, 0);
  queue.push_front(7, 99, 0);
  queue.Charge(0, 100);
  EXPECT_EQ(queue.size(), 5U);
  EXPECT_EQ(queue.front(), 7U);
  EXPECT_EQ(Drained(queue), (Requests{7, 8, 1, 2, 3}));
}

TEST(WaitingQueueTest, KeysGoFirstThenPreemptedThenArrival) {
  WaitingQueue queue(QueueKind::kKeyed);
  queue.push_back(1, 20, 0);
  queue.push_back(2, 10, 0);
  queue.push_back(3, 20, 0);
  queue.push_back(4, -5, 0);
  queue.push_front(8, 20, 0);
  queue.push_front(7, 20, 0);
  EXPECT_EQ(queue.size(), 6U);
  EXPECT_EQ(Drained(queue), (Requests{4, 2, 7, 8, 1, 3}));
}

// The least charged class of those that wait; here each admission is charged 10.
TEST(WaitingQueueTest, FairAlternatesBetweenClasses) {
  WaitingQueue queue(QueueKind::kFair, 2);
  for (const RequestHandle r : {10, 11, 12, 13}) queue.push_back(r, 0, 0);
  for (const RequestHandle r : {20, 21}) queue.push_back(r, 0, 1);
  Requests served;
  for (; !queue.empty(); queue.Charge(served.back() < 20 ? 0 : 1, 10)) {
    served.push_back(queue.front());
    queue.pop_front();
  }
  EXPECT_EQ(served, (Requests{10, 20, 11, 21, 12, 13}));
}

TEST(WaitingQueueTest, FairWeighsService) {
  WaitingQueue queue(QueueKind::kFair, 2);
  for (RequestHandle r = 0; r < 60; ++r) {
    queue.push_back(r, 0, 0);
    queue.push_back(100 + r, 0, 1);
  }
  int first = 0;  // its requests are half as long
  for (int i = 0; i < 60; ++i) {
    const int32_t c = queue.front() < 100 ? 0 : 1;
    queue.pop_front();
    queue.Charge(c, c == 0 ? 50 : 100);
    first += c == 0 ? 1 : 0;
  }
  EXPECT_EQ(first, 40);
}

TEST(WaitingQueueTest, FairPreemptedComesBackToTheFrontOfItsClass) {
  WaitingQueue queue(QueueKind::kFair, 2);
  queue.push_back(10, 0, 0);
  queue.push_back(11, 0, 0);
  queue.push_back(20, 0, 1);
  queue.pop_front();  // 10
  queue.Charge(0, 5);
  queue.push_front(10, 0, 0);
  EXPECT_EQ(Drained(queue), (Requests{20, 10, 11}));
}

TEST(FairQueueTest, AClassThatJoinsIsLiftedToTheLeastThatWaits) {
  FairQueue queue(4);
  queue.push_back(1, 0);
  queue.push_back(2, 1);
  queue.Charge(0, 500);
  queue.Charge(1, 300);
  queue.push_back(3, 2);
  EXPECT_EQ(queue.counter(2), 300);
  queue.Charge(3, 900);  // of requests that still run: stays
  queue.push_back(4, 3);
  EXPECT_EQ(queue.counter(3), 900);
  // One that waits already is not lifted.
  queue.Charge(1, 1'000);
  queue.Charge(2, 1'000);
  queue.push_back(5, 0);
  EXPECT_EQ(queue.counter(0), 500);
}

TEST(FairQueueTest, WhenNobodyWaitsTheLastThatDidCounts) {
  FairQueue queue(4);
  queue.push_back(1, 0);
  queue.push_back(2, 1);
  queue.Charge(0, 100);
  queue.pop_front();  // class 1, at 0
  queue.pop_front();  // class 0, at 100
  queue.Charge(1, 700);
  queue.push_back(3, 2);
  EXPECT_EQ(queue.counter(2), 100);
}

TEST(FairQueueTest, APreemptedRequestDoesNotLiftItsClass) {
  FairQueue queue(2);
  queue.push_back(1, 0);
  queue.pop_front();
  queue.push_back(2, 1);
  queue.Charge(1, 100);
  queue.push_front(1, 0);
  EXPECT_EQ(queue.counter(0), 0);
  EXPECT_EQ(queue.front(), 1U);
}

// What VTC promises: while classes wait, their services differ by no more than the largest charge.
TEST(FairQueueTest, TheDifferenceOfBackloggedClassesIsBounded) {
  RngStream rng(1, "test");
  FairQueue queue(5);
  for (RequestHandle r = 0; r < 5'000; ++r) queue.push_back(r, static_cast<int32_t>(r % 5));
  std::vector<int64_t> service(5);
  for (int i = 0; i < 900; ++i) {
    const auto c = static_cast<int32_t>(queue.front() % 5);
    queue.pop_front();
    const auto tokens = static_cast<int64_t>(1 + rng.Below(c == 0 ? 1'000 : 50));
    queue.Charge(c, tokens);
    service[static_cast<size_t>(c)] += tokens;
    const auto [least, most] = std::minmax_element(service.begin(), service.end());
    ASSERT_LE(*most - *least, 1'000);
  }
}

// Against a list that is searched and sorted anew each time.
class NaiveQueue {
 public:
  NaiveQueue(QueueKind order, size_t classes) : order_(order), counters_(classes) {}

  struct Entry {
    RequestHandle request;
    int64_t key;
    int32_t client_class;
  };
  void Push(const Entry& e, bool front) {
    if (order_ == QueueKind::kFair && !front && !Waits(e.client_class)) {
      int64_t lift = counters_[static_cast<size_t>(last_left_)];
      if (!entries_.empty()) lift = Counter(Front()->client_class);
      counters_[static_cast<size_t>(e.client_class)] = std::max(Counter(e.client_class), lift);
    }
    entries_.insert(front ? entries_.begin() : entries_.end(), e);
  }
  [[nodiscard]] std::vector<Entry>::const_iterator Front() const {
    return std::min_element(
        entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
          if (order_ == QueueKind::kArrival) return false;
          if (order_ != QueueKind::kFair) return a.key < b.key;
          const int64_t x = Counter(a.client_class), y = Counter(b.client_class);
          return x != y ? x < y : a.client_class < b.client_class;
        });
  }
  void Pop() {
    const int32_t c = Front()->client_class;
    entries_.erase(Front());
    if (!Waits(c)) last_left_ = c;
  }
  void Charge(int32_t c, int64_t service) { counters_[static_cast<size_t>(c)] += service; }
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  [[nodiscard]] int64_t Counter(int32_t c) const { return counters_[static_cast<size_t>(c)]; }
  [[nodiscard]] bool Waits(int32_t c) const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [c](const Entry& e) { return e.client_class == c; });
  }

  const QueueKind order_;
  std::vector<Entry> entries_;
  std::vector<int64_t> counters_;
  int32_t last_left_ = 0;
};

class QueueKindTest : public ::testing::TestWithParam<QueueKind> {};

TEST_P(QueueKindTest, EqualsTheNaiveQueue) {
  RngStream rng(1, "test");
  for (int round = 0; round < 50; ++round) {
    const auto classes = static_cast<int32_t>(1 + rng.Below(6));
    WaitingQueue queue(GetParam(), classes);
    NaiveQueue naive(GetParam(), static_cast<size_t>(classes));
    for (RequestHandle i = 0; i < 400; ++i) {
      const auto c = static_cast<int32_t>(rng.Below(static_cast<uint64_t>(classes)));
      const uint64_t action = rng.Below(8);
      if (action < 4) {
        const auto key = static_cast<int64_t>(rng.Below(6)) - 3;
        naive.Push({i, key, c}, action == 0);
        action == 0 ? queue.push_front(i, key, c) : queue.push_back(i, key, c);
      } else if (action < 7 && naive.size() > 0) {
        naive.Pop();
        queue.pop_front();
      } else {
        const auto service = static_cast<int64_t>(rng.Below(30));
        naive.Charge(c, service);
        queue.Charge(c, service);
      }
      ASSERT_EQ(queue.size(), naive.size());
      if (naive.size() > 0) {
        ASSERT_EQ(queue.front(), naive.Front()->request);
      }
    }
  }
}

std::string KindName(const ::testing::TestParamInfo<QueueKind>& kind) {
  return std::vector<std::string>{"arrival", "keyed", "fair"}[static_cast<size_t>(kind.param)];
}
INSTANTIATE_TEST_SUITE_P(Kinds, QueueKindTest,
                         ::testing::Values(QueueKind::kArrival, QueueKind::kKeyed,
                                           QueueKind::kFair),
                         KindName);

}  // namespace
}  // namespace tokensim
