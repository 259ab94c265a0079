#include "clients/cli/result_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

using ::testing::ElementsAre;

TEST(ResultFiles, TheRequestsFileNeedsHowEachEndedWhateverTheEventsFileGets) {
  const std::string requests = ::testing::TempDir() + "result_files_test.csv";
  ResultFiles files;
  ASSERT_TRUE(files.Open(requests, "", {"iteration"}));
  EXPECT_THAT(files.filter().kinds(),
              ElementsAre(v1::EVENT_KIND_ITERATION, v1::EVENT_KIND_REQUEST_FINISHED,
                          v1::EVENT_KIND_REQUEST_REJECTED));
}

TEST(ResultFiles, WithoutItTheEventsFileGetsWhatItAsksFor) {
  ResultFiles files;
  ASSERT_TRUE(files.Open("", "", {"iteration"}));
  EXPECT_THAT(files.filter().kinds(), ElementsAre(v1::EVENT_KIND_ITERATION));
}

}  // namespace
}  // namespace tokensim::cli
