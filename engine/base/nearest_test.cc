#include "engine/base/nearest.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

using Names = std::vector<std::string>;

TEST(NearestTest, FindsMisspellings) {
  const Names names = {"model", "workers", "workload"};
  EXPECT_EQ(NearestNames("worker", names), Names{"workers"});
  EXPECT_EQ(NearestNames("wrokload", names), Names{"workload"});
  EXPECT_EQ(NearestNames("MODEL", names), Names{"model"});
}

TEST(NearestTest, FindsParts) {
  EXPECT_EQ(NearestNames("a100", {"h100", "a100-40g", "a100-80g"}, 3),
            (Names{"h100", "a100-40g", "a100-80g"}));
  EXPECT_EQ(NearestNames("llama2_7b", {"llama2-7b"}), Names{"llama2-7b"});
}

TEST(NearestTest, StaysSilentWhenNothingIsClose) {
  EXPECT_EQ(DidYouMean("zzz", {"model", "workers"}), "");
  EXPECT_EQ(DidYouMean("sed", {"seed", "slo"}), "; did you mean seed?");
  EXPECT_EQ(DidYouMean("", {"a"}), "");
}

TEST(NearestTest, QuotesAreBounded) {
  EXPECT_EQ(Quote("a\nb"), "'a b'");
  const std::string long_text(500, 'x');
  EXPECT_EQ(Quote(long_text), "'" + std::string(60, 'x') + "...'");
  // 59 letters and a two-byte letter: not cut in its middle.
  EXPECT_EQ(Quote(std::string(59, 'x') + "\u00B5s"), "'" + std::string(59, 'x') + "...'");
}

}  // namespace
}  // namespace tokensim
