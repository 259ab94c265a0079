#include "server/http/event_query.h"

#include <string>

#include "gtest/gtest.h"
#include "server/base/error.h"

namespace tokensim::http {
namespace {

absl::Status Read(const std::string& query, v1::StreamEventsRequest* out) {
  return ReadEventQuery(*ParseTarget("/v1/simulations/x/events.jsonl?" + query), out);
}

TEST(ReadEventQuery, SetsEveryPartOfTheRequest) {
  v1::StreamEventsRequest request;
  ASSERT_TRUE(
      Read("after=5&until=90&kinds=first_token,ITERATION&workers=0,3&requests=17&sample=0.5&"
           "from=1.5&to=2",
           &request)
          .ok());
  EXPECT_EQ(request.after_sequence(), 5);
  EXPECT_EQ(request.until_sequence(), 90);
  EXPECT_EQ(request.filter().kinds(0), v1::EVENT_KIND_FIRST_TOKEN);
  EXPECT_EQ(request.filter().kinds(1), v1::EVENT_KIND_ITERATION);
  EXPECT_EQ(request.filter().workers(1), 3);
  EXPECT_EQ(request.filter().requests().ids(0), 17);
  EXPECT_EQ(request.filter().requests().sample_fraction(), 0.5);
  EXPECT_EQ(request.filter().start_time_ns(), 1'500'000'000);
  EXPECT_EQ(request.filter().end_time_ns(), 2'000'000'000);
}

TEST(ReadEventQuery, ErrorsNameTheParameter) {
  for (const char* bad :
       {"after=x", "after=-1", "after=99999999999999999999", "until=1.5", "kinds=nothing",
        "kinds=first_token,,iteration", "workers=a", "workers=-1", "workers=4294967296",
        "requests=1,b", "sample=2", "sample=nan", "from=-1", "to=1e10", "aftr=1", "name=y"}) {
    v1::StreamEventsRequest request;
    const absl::Status status = Read(bad, &request);
    EXPECT_EQ(ErrorReason(status), reason::kRequestInvalid) << bad;
    const std::string name = std::string(bad).substr(0, std::string(bad).find('='));
    EXPECT_TRUE(std::string(status.message()).starts_with(name + ": ")) << status;
  }
}

}  // namespace
}  // namespace tokensim::http
