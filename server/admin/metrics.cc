#include "server/admin/metrics.h"

#include <prometheus/text_serializer.h>

#include "engine/base/version.h"
#include "server/base/clock.h"

namespace tokensim {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

constexpr std::array<const char*, kStatusCodes> kCodeNames = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

const Buckets& Latencies() {
  static const Buckets kBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                   0.25,  0.5,    1,     2.5,  5,     10};
  return kBuckets;
}

}  // namespace

ServerMetrics::ServerMetrics() {
  rpc_started_ = &BuildCounter()
                      .Name("grpc_server_started_total")
                      .Help("RPCs started on the server.")
                      .Register(registry_);
  rpc_handled_ = &BuildCounter()
                      .Name("grpc_server_handled_total")
                      .Help("RPCs completed on the server, whatever the outcome.")
                      .Register(registry_);
  rpc_received_ = &BuildCounter()
                       .Name("grpc_server_msg_received_total")
                       .Help("Messages received on the server.")
                       .Register(registry_);
  rpc_sent_ = &BuildCounter()
                   .Name("grpc_server_msg_sent_total")
                   .Help("Messages sent by the server.")
                   .Register(registry_);
  rpc_seconds_ = &BuildHistogram()
                      .Name("grpc_server_handling_seconds")
                      .Help("Time to answer unary RPCs.")
                      .Register(registry_);
  BuildGauge()
      .Name("tokensim_build_info")
      .Help("Always 1; the labels say what runs.")
      .Register(registry_)
      .Add({{"version", kReleaseVersion}, {"engine_version", kEngineVersion}})
      .Set(1);
  AddSimulationMetrics();
  AddStreamMetrics();
  AddHttpMetrics();
}

void ServerMetrics::AddSimulationMetrics() {
  const auto counter = [this](const char* name, const char* help) {
    return &BuildCounter().Name(name).Help(help).Register(registry_).Add({});
  };
  const auto histogram = [this](const char* name, const char* help, const Buckets& buckets) {
    return &BuildHistogram().Name(name).Help(help).Register(registry_).Add({}, buckets);
  };
  accepted_ = counter("tokensim_simulations_accepted_total", "Simulations accepted.");
  auto& finished = BuildCounter()
                       .Name("tokensim_simulations_finished_total")
                       .Help("Simulations that ended, by final state.")
                       .Register(registry_);
  auto& simulations = BuildGauge()
                          .Name("tokensim_simulations")
                          .Help("Simulations in the store, by state.")
                          .Register(registry_);
  for (int number = v1::Simulation::PENDING; number <= v1::Simulation::State_MAX; ++number) {
    const auto state = static_cast<SimulationState>(number);
    const prometheus::Labels labels = {{"state", v1::Simulation::State_Name(state)}};
    simulations_[state] = &simulations.Add(labels);
    if (IsTerminal(state)) finished_[state] = &finished.Add(labels);
  }
  queue_depth_ = &BuildGauge()
                      .Name("tokensim_queue_depth")
                      .Help("Simulations that wait for a thread.")
                      .Register(registry_)
                      .Add({});
  queue_wait_seconds_ =
      histogram("tokensim_queue_wait_seconds", "Time from acceptance to the start of the run.",
                {0.001, 0.01, 0.1, 1, 10, 60, 600, 3600});
  run_seconds_ = histogram("tokensim_run_seconds", "Wall time of runs.",
                           {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000});
  slice_seconds_ =
      histogram("tokensim_slice_seconds",
                "Wall time between two points at which a run can be cancelled.", Latencies());
  events_ = counter("tokensim_events_total", "Engine events simulated by runs.");
  sim_seconds_ = counter("tokensim_sim_seconds_total", "Simulated seconds of runs.");
}

void ServerMetrics::AddStreamMetrics() {
  auto& streams =
      BuildGauge().Name("tokensim_streams").Help("Open streams, by kind.").Register(registry_);
  event_streams_ = &streams.Add({{"kind", "events"}});
  watch_streams_ = &streams.Add({{"kind", "watch"}});
  stream_stalls_ = &BuildCounter()
                        .Name("tokensim_stream_stalls_total")
                        .Help("Streams ended because their reader did not read.")
                        .Register(registry_)
                        .Add({});
}

void ServerMetrics::AddHttpMetrics() {
  auto& answers = BuildCounter()
                      .Name("tokensim_http_answers_total")
                      .Help("Answers of the HTTP port, by class of the status.")
                      .Register(registry_);
  for (size_t i = 0; i < http_answers_.size(); ++i) {
    http_answers_[i] = &answers.Add({{"code", std::to_string(i + 1) + "xx"}});
  }
  http_connections_ = &BuildGauge()
                           .Name("tokensim_http_connections")
                           .Help("Open connections of the HTTP port.")
                           .Register(registry_)
                           .Add({});
}

void ServerMetrics::OnHttpAnswer(int status) {
  const size_t index = static_cast<size_t>(status / 100) - 1;
  if (index < http_answers_.size()) http_answers_[index]->Increment();
}

MethodMetrics ServerMetrics::AddMethod(const std::string& service, const std::string& method,
                                       bool streaming) {
  prometheus::Labels labels = {{"grpc_type", streaming ? "server_stream" : "unary"},
                               {"grpc_service", service},
                               {"grpc_method", method}};
  MethodMetrics out;
  out.started = &rpc_started_->Add(labels);
  out.received = &rpc_received_->Add(labels);
  out.sent = &rpc_sent_->Add(labels);
  if (!streaming) out.handling_seconds = &rpc_seconds_->Add(labels, Latencies());
  for (size_t code = 0; code < out.handled.size(); ++code) {
    labels["grpc_code"] = kCodeNames[code];
    out.handled[code] = &rpc_handled_->Add(labels);
  }
  return out;
}

void ServerMetrics::OnStarted(std::chrono::nanoseconds queued) {
  queue_wait_seconds_->Observe(Seconds(queued));
}

void ServerMetrics::OnSlice(std::chrono::nanoseconds wall, int64_t events,
                            double simulated_seconds) {
  slice_seconds_->Observe(Seconds(wall));
  events_->Increment(static_cast<double>(events));
  sim_seconds_->Increment(simulated_seconds);
}

void ServerMetrics::OnFinished(SimulationState state) { finished_.at(state)->Increment(); }

void ServerMetrics::OnRun(std::chrono::nanoseconds wall) { run_seconds_->Observe(Seconds(wall)); }

std::string ServerMetrics::Scrape() {
  if (gauges_source_) {
    GaugeValues values = gauges_source_();
    for (const auto& [state, gauge] : simulations_) {
      gauge->Set(static_cast<double>(values.simulations[state]));
    }
    queue_depth_->Set(static_cast<double>(values.queue_depth));
    event_streams_->Set(static_cast<double>(values.event_streams));
    watch_streams_->Set(static_cast<double>(values.watch_streams));
    http_connections_->Set(static_cast<double>(values.http_connections));
  }
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace tokensim
