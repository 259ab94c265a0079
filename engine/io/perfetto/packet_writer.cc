#include "engine/io/perfetto/packet_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <utility>

#include "perfetto/trace.pb.h"

namespace tokensim {
namespace {

namespace pb = perfetto::protos;

// In the order of TraceName.
constexpr std::string_view kNames[] = {"prefill",
                                       "decode",
                                       "mixed",
                                       "empty",
                                       "queued",
                                       "scheduled",
                                       "first token",
                                       "preempted",
                                       "finished",
                                       "rejected",
                                       "dispatched",
                                       "swap in",
                                       "swap out",
                                       "transfer",
                                       "starting",
                                       "serving",
                                       "draining",
                                       "stopped",
                                       "failed",
                                       "index",
                                       "prefill_tokens",
                                       "prefill_chunks",
                                       "decode_tokens",
                                       "kv_blocks",
                                       "running",
                                       "waiting",
                                       "request",
                                       "input_tokens",
                                       "output_tokens",
                                       "cached_tokens",
                                       "preemptions",
                                       "worker",
                                       "prefill_worker",
                                       "client_class",
                                       "conversation",
                                       "turn",
                                       "ttft_ns",
                                       "max_itl_ns",
                                       "kv_transfer_ns",
                                       "decode_queueing_ns",
                                       "reason",
                                       "from",
                                       "to",
                                       "bytes",
                                       "tokens",
                                       "layer"};
static_assert(std::size(kNames) == static_cast<size_t>(TraceName::kLayer) + 1);

// Everything is one sequence of packets: names are sent once, at its beginning.
constexpr uint32_t kSequence = 1;
constexpr uint32_t kStateCleared = 1;
constexpr uint32_t kNeedsState = 2;

// 0 is no name.
uint64_t IdOf(TraceName name) { return static_cast<uint64_t>(name) + 1; }

void Append(const pb::TracePacket& packet, std::string* bytes) {
  google::protobuf::io::StringOutputStream stream(bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.WriteTag(pb::Trace::kPacketFieldNumber << 3 | 2);
  coded.WriteVarint32(static_cast<uint32_t>(packet.ByteSizeLong()));
  packet.SerializeWithCachedSizes(&coded);
}

pb::TracePacket EventPacket(Track track, int64_t time_ns, pb::TrackEvent::Type type) {
  pb::TracePacket packet;
  packet.set_timestamp(static_cast<uint64_t>(time_ns));
  packet.set_trusted_packet_sequence_id(kSequence);
  packet.set_sequence_flags(kNeedsState);
  packet.mutable_track_event()->set_type(type);
  packet.mutable_track_event()->set_track_uuid(track);
  return packet;
}

void SetRest(TraceDetails details, TraceFlow flow, pb::TrackEvent* event) {
  for (const TraceDetail& detail : details) {
    pb::DebugAnnotation* annotation = event->add_debug_annotations();
    annotation->set_name_iid(IdOf(detail.name));
    annotation->set_int_value(detail.value);
  }
  if (flow.id == 0) return;
  if (flow.ends) {
    event->add_terminating_flow_ids(flow.id);
  } else {
    event->add_flow_ids(flow.id);
  }
}

pb::TracePacket DescriptorPacket(Track track) {
  pb::TracePacket packet;
  packet.set_trusted_packet_sequence_id(kSequence);
  packet.mutable_track_descriptor()->set_uuid(track);
  return packet;
}

}  // namespace

PacketWriter::PacketWriter() {
  pb::TracePacket packet;
  packet.set_trusted_packet_sequence_id(kSequence);
  packet.set_sequence_flags(kStateCleared | kNeedsState);
  pb::InternedData* data = packet.mutable_interned_data();
  for (size_t i = 0; i < std::size(kNames); ++i) {
    const std::string name(kNames[i]);
    pb::EventName* event = data->add_event_names();
    event->set_iid(i + 1);
    event->set_name(name);
    pb::DebugAnnotationName* annotation = data->add_debug_annotation_names();
    annotation->set_iid(i + 1);
    annotation->set_name(name);
  }
  Append(packet, &bytes_);
}

Track PacketWriter::AddProcess(int32_t pid, std::string_view name) {
  pb::TracePacket packet = DescriptorPacket(++last_track_);
  pb::ProcessDescriptor* process = packet.mutable_track_descriptor()->mutable_process();
  process->set_pid(pid);
  process->set_process_name(std::string(name));
  Append(packet, &bytes_);
  return last_track_;
}

Track PacketWriter::AddThread(int32_t pid, int64_t tid, std::string_view name) {
  pb::TracePacket packet = DescriptorPacket(++last_track_);
  pb::ThreadDescriptor* thread = packet.mutable_track_descriptor()->mutable_thread();
  thread->set_pid(pid);
  thread->set_tid(tid);
  thread->set_thread_name(std::string(name));
  Append(packet, &bytes_);
  return last_track_;
}

Track PacketWriter::AddCounter(Track process, std::string_view name, CounterUnit unit) {
  pb::TracePacket packet = DescriptorPacket(++last_track_);
  pb::TrackDescriptor* descriptor = packet.mutable_track_descriptor();
  descriptor->set_parent_uuid(process);
  descriptor->set_name(std::string(name));
  descriptor->mutable_counter()->set_unit(unit == CounterUnit::kBytes
                                              ? pb::CounterDescriptor::UNIT_SIZE_BYTES
                                              : pb::CounterDescriptor::UNIT_COUNT);
  Append(packet, &bytes_);
  return last_track_;
}

void PacketWriter::Begin(Track thread, int64_t time_ns, TraceName name, TraceDetails details,
                         TraceFlow flow) {
  pb::TracePacket packet = EventPacket(thread, time_ns, pb::TrackEvent::TYPE_SLICE_BEGIN);
  packet.mutable_track_event()->set_name_iid(IdOf(name));
  SetRest(details, flow, packet.mutable_track_event());
  Append(packet, &bytes_);
}

void PacketWriter::Begin(Track thread, int64_t time_ns, std::string_view name, TraceDetails details,
                         TraceFlow flow) {
  pb::TracePacket packet = EventPacket(thread, time_ns, pb::TrackEvent::TYPE_SLICE_BEGIN);
  packet.mutable_track_event()->set_name(std::string(name));
  SetRest(details, flow, packet.mutable_track_event());
  Append(packet, &bytes_);
}

void PacketWriter::End(Track thread, int64_t time_ns) {
  Append(EventPacket(thread, time_ns, pb::TrackEvent::TYPE_SLICE_END), &bytes_);
}

void PacketWriter::Instant(Track thread, int64_t time_ns, TraceName name, TraceDetails details,
                           TraceFlow flow) {
  pb::TracePacket packet = EventPacket(thread, time_ns, pb::TrackEvent::TYPE_INSTANT);
  packet.mutable_track_event()->set_name_iid(IdOf(name));
  SetRest(details, flow, packet.mutable_track_event());
  Append(packet, &bytes_);
}

void PacketWriter::Count(Track counter, int64_t time_ns, int64_t value) {
  pb::TracePacket packet = EventPacket(counter, time_ns, pb::TrackEvent::TYPE_COUNTER);
  packet.mutable_track_event()->set_counter_value(value);
  Append(packet, &bytes_);
}

std::string PacketWriter::TakeBytes() { return std::exchange(bytes_, {}); }

}  // namespace tokensim
