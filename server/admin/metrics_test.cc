#include "server/admin/metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tokensim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerMetrics, StartAtZeroWithEveryLabel) {
  ServerMetrics metrics;
  metrics.AddMethod("tokensim.v1.SimulationService", "GetSimulation", false);
  metrics.AddMethod("tokensim.v1.SimulationService", "StreamEvents", true);
  const std::string text = metrics.Scrape();
  for (const char* line : {"tokensim_simulations_accepted_total 0",
                           "tokensim_simulations_finished_total{state=\"FAILED\"} 0",
                           "tokensim_simulations{state=\"PENDING\"} 0", "tokensim_queue_depth 0",
                           "tokensim_queue_wait_seconds_count 0", "tokensim_run_seconds_count 0",
                           "tokensim_events_total 0", "tokensim_sim_seconds_total 0",
                           "tokensim_slice_seconds_count 0", "tokensim_streams{kind=\"events\"} 0",
                           "tokensim_stream_stalls_total 0", "tokensim_build_info{",
                           "grpc_code=\"InvalidArgument\",grpc_method=\"GetSimulation\","
                           "grpc_service=\"tokensim.v1.SimulationService\",grpc_type=\"unary\"} 0",
                           "grpc_server_handling_seconds_count{grpc_method=\"GetSimulation\""}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("handling_seconds_count{grpc_method=\"StreamEvents\"")));
}

TEST(ServerMetrics, Count) {
  ServerMetrics metrics;
  metrics.SetGaugeSource([] {
    return GaugeValues{.simulations = {{v1::Simulation::RUNNING, 2}},
                       .queue_depth = 5,
                       .event_streams = 3,
                       .watch_streams = 1};
  });
  metrics.OnAccepted();
  metrics.OnStarted(std::chrono::seconds(2));
  metrics.OnSlice(std::chrono::milliseconds(4), 20'000, 12.5);
  metrics.OnSlice(std::chrono::milliseconds(4), 5'000, 2.5);
  metrics.OnFinished(v1::Simulation::SUCCEEDED);
  metrics.OnRun(std::chrono::milliseconds(8));
  const std::string text = metrics.Scrape();
  for (const char* line :
       {"tokensim_simulations_accepted_total 1", "tokensim_queue_wait_seconds_sum 2",
        "tokensim_events_total 25000", "tokensim_sim_seconds_total 15",
        "tokensim_slice_seconds_count 2", "tokensim_run_seconds_count 1",
        "tokensim_simulations_finished_total{state=\"SUCCEEDED\"} 1",
        "tokensim_simulations{state=\"RUNNING\"} 2", "tokensim_queue_depth 5",
        "tokensim_streams{kind=\"events\"} 3", "tokensim_streams{kind=\"watch\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace tokensim
