#include "server/api/stream_registry.h"

#include "gtest/gtest.h"
#include "server/base/error.h"

namespace tokensim {
namespace {

class FakeStream final : public OpenStream {
 public:
  void Start() override {}
  void OnWriteDone(bool) override {}
  void Abort(const absl::Status& status) override { aborted = status; }
  bool AbortIfStalled(SteadyTime before) override { return write_begun < before; }

  absl::Status aborted;
  SteadyTime write_begun = SteadyTime::max();
};

TEST(StreamRegistry, BoundsStreamsAndTakesPlacesBack) {
  StreamRegistry registry(2, "max_event_streams");
  auto first = registry.Enter();
  auto second = registry.Enter();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(registry.size(), 2);
  const auto third = registry.Enter();
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(third.status()), reason::kServerOverloaded);
  first->reset();
  EXPECT_TRUE(registry.Enter().ok());
}

TEST(StreamRegistry, CloseEndsAllAndRefusesNew) {
  StreamRegistry registry(10, "max_event_streams");
  const auto open = std::make_shared<FakeStream>();
  auto place = registry.Enter();
  registry.Attach(**place, open);
  auto late_place = registry.Enter();
  registry.Close();
  EXPECT_EQ(ErrorReason(open->aborted), reason::kServerDraining);
  EXPECT_EQ(ErrorReason(registry.Enter().status()), reason::kServerDraining);
  // One that was between Enter and Attach.
  const auto late = std::make_shared<FakeStream>();
  registry.Attach(**late_place, late);
  EXPECT_EQ(ErrorReason(late->aborted), reason::kServerDraining);
}

TEST(StreamRegistry, CountsStalledStreams) {
  StreamRegistry registry(10, "max_event_streams");
  const auto stalled = std::make_shared<FakeStream>();
  stalled->write_begun = SteadyTime();
  const auto fine = std::make_shared<FakeStream>();
  auto first = registry.Enter();
  auto second = registry.Enter();
  registry.Attach(**first, stalled);
  registry.Attach(**second, fine);
  EXPECT_EQ(registry.AbortStalled(SteadyTime() + std::chrono::seconds(1)), 1);
}

}  // namespace
}  // namespace tokensim
