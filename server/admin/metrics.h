// The server's Prometheus metrics. docs/server.md lists them.
//
// Counters are pre-created for every label set, so that rates start at zero. Gauges that mirror the
// server's state are read when scraped. Thread-safe. Free of gRPC.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "server/session/session_metrics.h"

namespace tokensim {

inline constexpr int kStatusCodes = 17;  // gRPC's OK (0) to UNAUTHENTICATED (16)

// The metrics of one RPC method, named as go-grpc-middleware names them.
struct MethodMetrics {
  prometheus::Counter* started = nullptr;
  std::array<prometheus::Counter*, kStatusCodes> handled{};
  prometheus::Counter* received = nullptr;
  prometheus::Counter* sent = nullptr;
  prometheus::Histogram* handling_seconds = nullptr;  // null for streams: they last as they like
};

// State of the server, read at each scrape.
struct GaugeValues {
  std::map<SimulationState, int64_t> simulations;
  int64_t queue_depth = 0;
  int64_t event_streams = 0;
  int64_t watch_streams = 0;
  int64_t http_connections = 0;
};

class ServerMetrics final : public SessionMetrics {
 public:
  ServerMetrics();

  // `service` is the full name, as tokensim.v1.SimulationService. Valid as long as this object.
  MethodMetrics AddMethod(const std::string& service, const std::string& method, bool streaming);
  // Before the first scrape.
  void SetGaugeSource(std::function<GaugeValues()> source) { gauges_source_ = std::move(source); }
  void OnHttpAnswer(int status);
  void OnStreamStalled() { stream_stalls_->Increment(); }

  void OnAccepted() override { accepted_->Increment(); }
  void OnStarted(std::chrono::nanoseconds queued) override;
  void OnSlice(std::chrono::nanoseconds wall, int64_t events, double simulated_seconds) override;
  void OnFinished(SimulationState state) override;
  void OnRun(std::chrono::nanoseconds wall) override;

  // In the text format of Prometheus.
  [[nodiscard]] std::string Scrape();

 private:
  void AddSimulationMetrics();
  void AddStreamMetrics();
  void AddHttpMetrics();

  prometheus::Registry registry_;
  std::function<GaugeValues()> gauges_source_;

  prometheus::Family<prometheus::Counter>* rpc_started_ = nullptr;
  prometheus::Family<prometheus::Counter>* rpc_handled_ = nullptr;
  prometheus::Family<prometheus::Counter>* rpc_received_ = nullptr;
  prometheus::Family<prometheus::Counter>* rpc_sent_ = nullptr;
  prometheus::Family<prometheus::Histogram>* rpc_seconds_ = nullptr;

  prometheus::Counter* accepted_ = nullptr;
  std::map<SimulationState, prometheus::Counter*> finished_;
  std::map<SimulationState, prometheus::Gauge*> simulations_;
  prometheus::Gauge* queue_depth_ = nullptr;
  prometheus::Histogram* queue_wait_seconds_ = nullptr;
  prometheus::Histogram* run_seconds_ = nullptr;
  prometheus::Histogram* slice_seconds_ = nullptr;
  prometheus::Counter* events_ = nullptr;
  prometheus::Counter* sim_seconds_ = nullptr;
  prometheus::Gauge* event_streams_ = nullptr;
  prometheus::Gauge* watch_streams_ = nullptr;
  prometheus::Counter* stream_stalls_ = nullptr;
  std::array<prometheus::Counter*, 5> http_answers_{};  // by the first digit of the status
  prometheus::Gauge* http_connections_ = nullptr;
};

}  // namespace tokensim
