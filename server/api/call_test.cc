#include "server/api/call.h"

#include <new>
#include <stdexcept>

#include "gtest/gtest.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim {
namespace {

constexpr size_t kMaxBytes = 100;

template <typename Handler>
absl::Status AnswerOf(Handler handler) {
  const v1::Simulation request;
  v1::Simulation response;
  return Answer(handler, kMaxBytes, request, &response);
}

TEST(Answer, IsThatOfTheHandler) {
  EXPECT_TRUE(AnswerOf([](const auto&, auto*) { return absl::OkStatus(); }).ok());
  EXPECT_EQ(AnswerOf([](const auto&, auto*) { return absl::NotFoundError("x"); }).code(),
            absl::StatusCode::kNotFound);
}

TEST(Answer, IsRefusedWithAReasonWhenItIsTooLarge) {
  const auto of_bytes = [](size_t bytes) {
    return AnswerOf([bytes](const auto&, v1::Simulation* out) {
      out->set_name(std::string(bytes - 2, 'x'));  // tag and length
      return absl::OkStatus();
    });
  };
  EXPECT_TRUE(of_bytes(kMaxBytes).ok());
  const absl::Status refused = of_bytes(kMaxBytes + 1);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(refused), reason::kMessageTooLarge);
  EXPECT_NE(refused.message().find("101"), std::string::npos);
}

// The call fails, the process goes on.
TEST(Answer, IsAnErrorWhenTheHandlerThrows) {
  const absl::Status memory =
      AnswerOf([](const auto&, auto*) -> absl::Status { throw std::bad_alloc(); });
  EXPECT_EQ(memory.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(memory), reason::kOutOfMemory);
  EXPECT_EQ(ErrorReason(AnswerOf(
                [](const auto&, auto*) -> absl::Status { throw std::length_error("vector"); })),
            reason::kOutOfMemory);
  const absl::Status other =
      AnswerOf([](const auto&, auto*) -> absl::Status { throw std::runtime_error("why"); });
  EXPECT_EQ(ErrorReason(other), reason::kInternal);
  EXPECT_EQ(other.message(), "why");
}

}  // namespace
}  // namespace tokensim
