#include "engine/cluster/event_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

TEST(EventQueueTest, OrdersByTimeThenPriorityThenIndex) {
  EventQueue queue;
  queue.Push({5, EventKind::kSnapshot, 0});
  queue.Push({5, EventKind::kBoundary, 2});
  queue.Push({5, EventKind::kBoundary, 1});
  queue.Push({4, EventKind::kSnapshot, 9});
  std::vector<uint32_t> order;
  for (; !queue.empty(); queue.Pop()) order.push_back(queue.top().index);
  EXPECT_EQ(order, (std::vector<uint32_t>{9, 1, 2, 0}));
}

TEST(EventQueueTest, RandomOperationsKeepTheOrder) {
  RngStream rng(11, "heap");
  EventQueue queue;
  std::vector<QueuedEvent> model;
  const auto before = [](const QueuedEvent& a, const QueuedEvent& b) { return a.Before(b); };
  for (int step = 0; step < 20'000; ++step) {
    const QueuedEvent event{static_cast<SimTime>(rng.Below(50)),
                            static_cast<EventKind>(rng.Below(5)),
                            static_cast<uint32_t>(rng.Below(1000))};
    const uint64_t choice = rng.Below(5);
    if (choice == 0 || model.empty()) {
      queue.Push(event);
      model.push_back(event);
    } else if (choice == 3) {
      const QueuedEvent erased = model[rng.Below(model.size())];
      const auto same = [&erased](const QueuedEvent& e) {
        return e.kind == erased.kind && e.index == erased.index;
      };
      queue.Erase(erased.kind, erased.index);
      std::erase_if(model, same);
    } else if (choice == 4) {
      QueuedEvent& moved = model[rng.Below(model.size())];
      const auto same = [&moved](const QueuedEvent& e) {
        return e.kind == moved.kind && e.index == moved.index;
      };
      if (std::count_if(model.begin(), model.end(), same) > 1) continue;
      moved.time = std::max<SimTime>(0, moved.time - static_cast<SimTime>(rng.Below(20)));
      queue.Expedite(moved.kind, moved.index, moved.time);
    } else {
      const auto least = std::min_element(model.begin(), model.end(), before);
      ASSERT_FALSE(least->Before(queue.top()));
      ASSERT_FALSE(queue.top().Before(*least));
      if (choice == 1) {
        queue.Pop();
        model.erase(least);
      } else {
        queue.ReplaceTop(event);
        *least = event;
      }
    }
    ASSERT_EQ(queue.size(), model.size());
  }
}

}  // namespace
}  // namespace tokensim
