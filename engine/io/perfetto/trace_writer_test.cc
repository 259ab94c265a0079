#include "engine/io/perfetto/trace_writer.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/io/events/replay_reader.h"
#include "engine/io/events/replay_test_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "perfetto/trace.pb.h"

namespace tokensim {
namespace {

namespace pb = perfetto::protos;
using ::testing::ElementsAre;

struct Slice {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string name;
  size_t depth = 0;
  std::map<std::string, int64_t> details;
};

// A trace as a viewer reads it. Fails the test where a viewer would drop something.
struct ReadTrace {
  std::map<uint64_t, std::string> processes;
  std::map<std::string, std::vector<Slice>> slices;  // by process/thread
  std::map<std::string, std::vector<std::pair<uint64_t, int64_t>>> counters;
  std::map<std::string, std::vector<std::string>> instants;
  std::map<uint64_t, int> flows;  // how many events each joins
  std::set<uint64_t> ended_flows;
};

class TraceReader {
 public:
  explicit TraceReader(const std::string& bytes) {
    pb::Trace trace;
    EXPECT_TRUE(trace.ParseFromString(bytes));
    EXPECT_TRUE(trace.unknown_fields().empty());
    for (const pb::TracePacket& packet : trace.packet()) Add(packet);
    for (const auto& [track, open] : open_) EXPECT_TRUE(open.empty()) << tracks_[track];
  }

  ReadTrace out;

 private:
  void Add(const pb::TracePacket& packet) {
    EXPECT_EQ(packet.trusted_packet_sequence_id(), 1U);
    if (packet.has_interned_data()) {
      EXPECT_EQ(packet.sequence_flags(), 3U);
      EXPECT_TRUE(names_.empty());
      for (const auto& name : packet.interned_data().event_names()) {
        names_[name.iid()] = name.name();
      }
      for (const auto& name : packet.interned_data().debug_annotation_names()) {
        details_[name.iid()] = name.name();
      }
    }
    if (packet.has_track_descriptor()) AddTrack(packet.track_descriptor());
    if (packet.has_track_event()) AddEvent(packet);
  }

  void AddTrack(const pb::TrackDescriptor& track) {
    EXPECT_NE(track.uuid(), 0U);
    EXPECT_EQ(tracks_.count(track.uuid()), 0U);
    std::string& name = tracks_[track.uuid()];
    if (track.has_process()) {
      EXPECT_NE(track.process().pid(), 0);
      EXPECT_TRUE(pids_.emplace(track.process().pid(), track.process().process_name()).second);
      name = out.processes[track.uuid()] = track.process().process_name();
    } else if (track.has_thread()) {
      EXPECT_TRUE(threads_.emplace(track.thread().pid(), track.thread().tid()).second);
      name = pids_.at(track.thread().pid()) + "/" + track.thread().thread_name();
    } else {
      EXPECT_TRUE(track.has_counter());
      name = out.processes.at(track.parent_uuid()) + "/" + track.name();
    }
  }

  void AddEvent(const pb::TracePacket& packet) {
    const pb::TrackEvent& event = packet.track_event();
    EXPECT_EQ(packet.sequence_flags(), 2U);
    const std::string& track = tracks_.at(event.track_uuid());
    const std::string name = event.has_name() ? event.name() : names_[event.name_iid()];
    for (const uint64_t flow : event.flow_ids()) ++out.flows[flow];
    for (const uint64_t flow : event.terminating_flow_ids()) {
      ++out.flows[flow];
      out.ended_flows.insert(flow);
    }
    if (event.type() == pb::TrackEvent::TYPE_COUNTER) {
      out.counters[track].emplace_back(packet.timestamp(), event.counter_value());
      return;
    }
    EXPECT_GE(packet.timestamp(), last_[track]) << track;  // slices of a row in order of time
    last_[track] = packet.timestamp();
    std::vector<Slice>& open = open_[event.track_uuid()];
    if (event.type() == pb::TrackEvent::TYPE_SLICE_BEGIN) {
      EXPECT_NE(name, "");
      Slice& slice = open.emplace_back();
      slice.begin = packet.timestamp();
      slice.name = name;
      slice.depth = open.size() - 1;
      for (const auto& detail : event.debug_annotations()) {
        slice.details[details_.at(detail.name_iid())] = detail.int_value();
      }
    } else if (event.type() == pb::TrackEvent::TYPE_SLICE_END) {
      ASSERT_FALSE(open.empty()) << track;
      open.back().end = packet.timestamp();
      out.slices[track].push_back(open.back());
      open.pop_back();
    } else {
      EXPECT_EQ(event.type(), pb::TrackEvent::TYPE_INSTANT);
      out.instants[track].push_back(name);
    }
  }

  std::map<uint64_t, std::string> names_;
  std::map<uint64_t, std::string> details_;
  std::map<uint64_t, std::string> tracks_;
  std::map<int32_t, std::string> pids_;
  std::set<std::pair<int32_t, int64_t>> threads_;
  std::map<uint64_t, std::vector<Slice>> open_;
  std::map<std::string, uint64_t> last_;
};

std::vector<v1::Event> EventsOf(const std::shared_ptr<const Plan>& plan) {
  ReplayReader reader(plan, {});
  std::vector<v1::Event> events;
  v1::EventBatch batch;
  ReplayReader::Outcome outcome = ReplayReader::Outcome::kYield;
  while (outcome != ReplayReader::Outcome::kEnd) {
    outcome = reader.Read(10'000, &batch);
    EXPECT_NE(outcome, ReplayReader::Outcome::kFailed);
    events.insert(events.end(), batch.events().begin(), batch.events().end());
  }
  return events;
}

// In small pieces: the file is what was taken, in a row.
ReadTrace TraceOf(const std::vector<v1::Event>& events, std::vector<std::string> names) {
  TraceWriter trace(std::move(names));
  std::string bytes;
  for (const v1::Event& event : events) {
    trace.Add(event);
    bytes += trace.TakeBytes();
  }
  return TraceReader(bytes).out;
}

TEST(TraceLanesTest, ReusesTheRowThatWasFreeForTheShortestTime) {
  TraceLanes lanes;
  const auto add = [](int64_t i) { return static_cast<Track>(i + 10); };
  EXPECT_EQ(lanes.Take(0, 5, add), 10U);
  EXPECT_EQ(lanes.Take(3, 9, add), 11U);
  EXPECT_EQ(lanes.Take(4, 6, add), 12U);
  EXPECT_EQ(lanes.Take(6, 7, add), 12U);  // free at once
  EXPECT_EQ(lanes.Take(8, 9, add), 12U);  // 10 was free for longer
  EXPECT_EQ(lanes.Take(8, 9, add), 10U);
  EXPECT_EQ(lanes.Take(8, 9, add), 13U);
}

TEST(TraceWriterTest, ShowsEveryIterationAndRequestOfACluster) {
  const auto events = EventsOf(MakeClusterTestPlan(300));
  const ReadTrace trace = TraceOf(events, {"prefill/0", "decode/0", "decode/1"});
  std::map<v1::Event::BodyCase, size_t> kinds;
  for (const v1::Event& event : events) ++kinds[event.body_case()];

  std::map<std::string, size_t> slices;  // by the kind of row
  size_t bars = 0;
  for (const auto& [track, rows] : trace.slices) {
    const std::string row = track.substr(track.find('/', track.find('/') + 1) + 1);
    slices[track.starts_with("requests/") || track.starts_with("network/")
               ? track.substr(0, track.find('/'))
               : row.substr(0, row.find(' '))] += rows.size();
    if (!track.starts_with("requests/")) continue;
    for (const Slice& slice : rows) bars += slice.depth == 0 ? 1 : 0;
  }
  EXPECT_EQ(slices["iterations"], kinds[v1::Event::kIteration]);
  EXPECT_EQ(slices["operators"], kinds[v1::Event::kOperatorLog]);
  EXPECT_EQ(slices["network"], kinds[v1::Event::kKvTransferred]);
  EXPECT_EQ(bars, kinds[v1::Event::kRequestFinished] + kinds[v1::Event::kRequestRejected]);
  EXPECT_EQ(trace.ended_flows.size(), bars);
  EXPECT_EQ(trace.flows.size(), bars);

  std::map<std::string, size_t> instants;
  for (const auto& [track, names] : trace.instants) {
    EXPECT_TRUE(track.ends_with("/requests")) << track;
    for (const std::string& name : names) ++instants[name];
  }
  EXPECT_EQ(instants["scheduled"], kinds[v1::Event::kRequestScheduled]);
  EXPECT_EQ(instants["first token"], kinds[v1::Event::kFirstToken]);
  EXPECT_EQ(instants["preempted"], kinds[v1::Event::kRequestPreempted]);
  EXPECT_EQ(instants["dispatched"], kinds[v1::Event::kRequestDispatched]);
  EXPECT_EQ(instants["swap in"] + instants["swap out"], kinds[v1::Event::kRequestSwapped]);
  EXPECT_EQ(instants["failed"], 1U);
}

TEST(TraceWriterTest, ABarIsTheLifeOfItsRequest) {
  const auto events = EventsOf(MakeTestPlan(50));
  const ReadTrace trace = TraceOf(events, {"gpu/0", "gpu/1"});
  std::map<std::string, v1::RequestRecord> records;
  for (const v1::Event& event : events) {
    if (!event.has_request_finished()) continue;
    const v1::RequestRecord& record = event.request_finished().record();
    records["request " + std::to_string(record.request_id())] = record;
  }
  ASSERT_GT(records.size(), 40U);
  for (const auto& [track, rows] : trace.slices) {
    if (!track.starts_with("requests/")) continue;
    uint64_t parts = 0;
    for (const Slice& slice : rows) {  // parts end before their bar
      if (slice.depth == 1) {
        EXPECT_THAT((std::vector<std::string>{"queued", "prefill", "decode"}),
                    ::testing::Contains(slice.name));
        parts += slice.end - slice.begin;
        continue;
      }
      if (slice.name.ends_with(" rejected")) continue;
      const v1::RequestRecord& record = records.at(slice.name);
      EXPECT_EQ(slice.begin, static_cast<uint64_t>(record.arrival_ns()));
      EXPECT_EQ(slice.end, static_cast<uint64_t>(record.finish_ns()));
      EXPECT_EQ(parts, slice.end - slice.begin);
      EXPECT_EQ(slice.details.at("ttft_ns"), record.first_token_ns() - record.arrival_ns());
      EXPECT_EQ(slice.details.at("input_tokens"), record.input_tokens());
      EXPECT_EQ(slice.details.at("output_tokens"), record.output_tokens());
      EXPECT_EQ(slice.details.at("worker"), record.worker());
      parts = 0;
      records.erase(slice.name);
    }
  }
  EXPECT_TRUE(records.empty());
}

TEST(TraceWriterTest, IterationsThatOverlapGetRowsOfTheirOwn) {
  std::vector<v1::Event> events;
  const auto add = [&](int64_t begin, int64_t end, int prefill, int decode) {
    v1::Event& event = events.emplace_back();
    event.set_time_ns(end);
    event.mutable_iteration()->set_duration_ns(end - begin);
    event.mutable_iteration()->set_prefill_tokens(prefill);
    event.mutable_iteration()->set_decode_tokens(decode);
    event.mutable_iteration()->set_kv_blocks_used(end);
  };
  add(0, 10, 100, 0);
  add(5, 15, 0, 3);
  add(10, 20, 7, 3);
  add(20, 21, 0, 0);
  const ReadTrace trace = TraceOf(events, {});
  std::vector<std::string> first;
  for (const Slice& slice : trace.slices.at("worker 0/iterations")) first.push_back(slice.name);
  EXPECT_THAT(first, ElementsAre("prefill", "mixed", "empty"));
  ASSERT_EQ(trace.slices.at("worker 0/iterations 2").size(), 1U);
  EXPECT_EQ(trace.slices.at("worker 0/iterations 2")[0].name, "decode");
  EXPECT_EQ(trace.slices.at("worker 0/iterations 2")[0].details.at("decode_tokens"), 3);
  // Counters count from 0, and hold from the begin of an iteration on.
  EXPECT_THAT(trace.counters.at("worker 0/KV blocks"),
              ElementsAre(std::pair(0, 0), std::pair(0, 10), std::pair(5, 15), std::pair(10, 20),
                          std::pair(20, 21)));
  EXPECT_EQ(trace.counters.count("worker 0/waiting"), 0U);  // was always 0
}

TEST(TraceWriterTest, SnapshotsAddCountersThatMove) {
  std::vector<v1::Event> events(2);
  for (v1::Event& event : events) {
    event.set_time_ns(event.time_ns() + 100);
    v1::WorkerMemory* memory = event.mutable_memory_snapshot()->add_workers();
    memory->set_cached_blocks(4);
    memory->set_host_bytes_used(1 << 20);
  }
  events[1].set_time_ns(200);
  events[1].mutable_memory_snapshot()->mutable_workers(0)->set_cached_blocks(5);
  events[1].mutable_memory_snapshot()->set_pool_bytes_used(77);
  const ReadTrace trace = TraceOf(events, {"gpu"});
  EXPECT_THAT(trace.counters.at("gpu/cached blocks"),
              ElementsAre(std::pair(0, 0), std::pair(100, 4), std::pair(200, 5)));
  EXPECT_THAT(trace.counters.at("gpu/host memory"),
              ElementsAre(std::pair(0, 0), std::pair(100, 1 << 20)));
  EXPECT_THAT(trace.counters.at("memory pool/used"),
              ElementsAre(std::pair(0, 0), std::pair(200, 77)));
  EXPECT_EQ(trace.counters.size(), 3U);
}

TEST(TraceWriterTest, ARejectedRequestIsABarWithItsReason) {
  std::vector<v1::Event> events(1);
  v1::RequestRecord* record = events[0].mutable_request_rejected()->mutable_record();
  record->set_request_id(3);
  record->set_arrival_ns(5);
  record->set_finish_ns(5);
  record->set_scheduled_ns(-1);
  record->set_first_token_ns(-1);
  record->set_worker(-1);
  record->set_reject_reason(v1::REJECT_REASON_NO_WORKER);
  const ReadTrace trace = TraceOf(events, {});
  const Slice& bar = trace.slices.at("requests/requests 1").at(0);
  EXPECT_EQ(bar.name, "request 3 rejected");
  EXPECT_EQ(bar.details.at("reason"), v1::REJECT_REASON_NO_WORKER);
  EXPECT_EQ(trace.processes.size(), 1U);  // no worker had to do with it
}

}  // namespace
}  // namespace tokensim
