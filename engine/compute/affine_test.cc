#include "engine/compute/affine.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

TEST(AffineTest, IsTheWeightedSum) {
  const auto model = MakeAffineModel({.iteration_seconds = 0.01,
                                      .prefill_token_seconds = 1e-4,
                                      .decode_token_seconds = 1e-3,
                                      .context_token_seconds = 1e-6});
  const PrefillChunk chunk{.new_tokens = 50, .history = 10};
  const IterationShape shape{.decode_count = 2,
                             .decode_context = 300,
                             .padding_count = 1,
                             .sampled_count = 3,
                             .prefill_tokens = 50,
                             .prefill = {&chunk, 1}};
  EXPECT_NEAR(model->IterationSeconds(shape), 0.01 + 0.005 + 0.003 + 0.0003, 1e-15);
}

TEST(AffineTest, IsOneOperator) {
  const auto model = MakeAffineModel({.iteration_seconds = 0.01});
  const std::vector<OperatorTime> times = model->OperatorTimes({.decode_count = 1});
  ASSERT_EQ(times.size(), 1U);
  EXPECT_EQ(std::string(times[0].name), "iteration");
  EXPECT_EQ(times[0].layer, -1);
  EXPECT_EQ(times[0].start_seconds, 0);
  EXPECT_EQ(times[0].end_seconds(), 0.01);
  EXPECT_EQ(model->OperatorNames(), std::vector<std::string>{"iteration"});
}

TEST(AffineTest, NeverTakesLessThanANanosecond) {
  const auto model = MakeAffineModel({.prefill_token_seconds = 1e-4});
  EXPECT_EQ(model->IterationSeconds({.decode_count = 5, .decode_context = 100}), 1e-9);
}

}  // namespace
}  // namespace tokensim
