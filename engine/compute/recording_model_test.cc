#include "engine/compute/recording_model.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

class TwoOperators final : public ComputeModel {
 public:
  double IterationSeconds(const IterationShape& shape) const override {
    return 10.0 + shape.decode_count;
  }
  std::vector<OperatorTime> OperatorTimes(const IterationShape& shape) const override {
    return {{.name = "a", .layer = 0, .start_seconds = 1, .seconds = 2},
            {.name = "b", .layer = 0, .start_seconds = 3, .seconds = 1.0 * shape.decode_count},
            {.name = "a", .layer = 1, .start_seconds = 6, .seconds = 2}};
  }
};

TEST(RecordingModel, MeansOverIterationsAndWhatIsLeft) {
  const RecordingModel model(std::make_shared<TwoOperators>());
  EXPECT_EQ(model.SecondsPerIteration("a"), 0);
  EXPECT_EQ(model.OtherSecondsPerIteration(), 0);
  EXPECT_EQ(model.IterationSeconds({.decode_count = 1}), 11);
  EXPECT_EQ(model.IterationSeconds({.decode_count = 3}), 13);
  EXPECT_EQ(model.iterations(), 2);
  EXPECT_EQ(model.SecondsPerIteration("a"), 4);
  EXPECT_EQ(model.SecondsPerIteration("b"), 2);
  EXPECT_EQ(model.SecondsPerIteration("c"), 0);
  EXPECT_EQ(model.OtherSecondsPerIteration(), 6);
}

}  // namespace
}  // namespace tokensim
