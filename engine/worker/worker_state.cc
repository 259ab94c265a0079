#include "engine/worker/worker_state.h"

#include "engine/base/invariant.h"

namespace tokensim {

void WorkerState::Enqueue(RequestHandle handle, SimTime now) {
  slab()[handle].ran_here = false;
  running().ChargeClasses();  // the place of a class that joins depends on what the others got
  Queue(handle, now, /*in_front=*/false);
}

void WorkerState::BeginBatch(Batch* batch, SimTime now, bool must_run) {
  set_batch(batch);
  Ask(now, must_run);
  batch->Clear();
  if (has_waiting()) running().ChargeClasses();
}

// ---- What comes out of a batch

void WorkerState::Advance(Batch* batch, SimTime end) {
  if (batch->decodes > 0) {
    kv().EndDecodeIteration(running().Advance());
    const DecodeSet& decodes = running().decodes();
    for (RequestHandle handle = decodes.NextFinished(); handle != kNoRequest;
         handle = decodes.NextFinished()) {
      batch->finishing_decodes.push_back({handle, LeaveDecodes(handle)});
      running().BeginLeaving(handle);
    }
  }
  for (size_t i = 0; i < batch->chunks.size(); ++i) {
    const RequestHandle handle = batch->chunk_requests[i];
    const PrefillChunk& chunk = batch->chunks[i];
    const bool complete = running().AddComputed(handle, chunk.new_tokens);
    kv().GiveUp(&slab()[handle], chunk.history, chunk.new_tokens);
    if (complete) CompletePrefill(handle, end, batch);
  }
}

void WorkerState::CompletePrefill(RequestHandle handle, SimTime end, Batch* batch) {
  LiveRequest& r = slab()[handle];
  ++r.generated;
  if (latency_log().AddPromptToken(&r, end)) batch->first_tokens.push_back(handle);
  if (r.generated < r.output_tokens && !config().hands_on_prefills) {
    Join(handle, config().pauses_decodes);
    return;
  }
  running().BeginLeaving(handle);
  if (r.generated < r.output_tokens) {
    batch->prefilled.push_back(handle);
  } else {
    batch->finishing_prefills.push_back(handle);
  }
}

// ---- KV caches that come and go

bool WorkerState::ReserveLoad(RequestHandle handle) {
  const LiveRequest& r = slab()[handle];
  if (has_waiting() || slots_used() >= max_num_seqs_ ||
      !kv().HasRoom(kv().BlocksToReach(r.kv_tokens, r.kv_tokens + 1), /*is_new=*/true,
                    holders() == 0)) {
    return false;
  }
  kv().ReserveLoad(r);
  queues().ReserveLoad(handle);
  return true;
}

void WorkerState::FinishLoad(RequestHandle handle) {
  LiveRequest& r = slab()[handle];
  const bool resumes = r.resumes();
  TOKENSIM_INVARIANT(resumes || r.kv_source == KvSource::kPool, "a load without a source");
  kv().FinishLoad(&r);
  queues().FinishLoad(handle, resumes);
}

void WorkerState::CancelLoad(RequestHandle handle) {
  EndWait(handle);
  queues().CancelLoad(handle);
  kv().CancelLoad(slab()[handle]);
}

Departure WorkerState::TakeTailDecode() {
  const RequestHandle handle = TailDecode();
  const Departure departure = {handle, LeaveDecodes(handle)};
  running().Remove(handle);
  return departure;
}

std::vector<Departure> WorkerState::Evacuate() {
  std::vector<Departure> departures;
  std::vector<RequestHandle> handles;
  const auto drop = [&] {
    for (const RequestHandle handle : handles) {
      LiveRequest& r = slab()[handle];
      Stay stay;
      if (r.decoding) stay = LeaveDecodes(handle);
      KvManager::Forget(&r);
      departures.push_back({handle, stay});
    }
    handles.clear();
  };
  running().AppendTo(&handles);
  drop();  // first: the order of the queue may depend on what these were charged
  ClearWaits();
  queues().Drain(&handles);
  drop();
  running().Clear();
  kv().Clear();
  return departures;
}

}  // namespace tokensim
