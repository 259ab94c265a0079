// The open streams of a server: counted, bounded, ended at shutdown or when they stall.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/stream.h"

namespace tokensim {

class StreamRegistry {
 private:
  using Streams = std::list<std::weak_ptr<OpenStream>>;

 public:
  // `limit` is named `limit_name` in refusals.
  StreamRegistry(int64_t limit, std::string limit_name)
      : limit_(limit), limit_name_(std::move(limit_name)) {}

  // One stream's place, given back when dropped. The registry outlives it.
  class Place {
   public:
    Place(StreamRegistry& registry, Streams::iterator at) : registry_(registry), at_(at) {}
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class StreamRegistry;
    StreamRegistry& registry_;
    const Streams::iterator at_;
  };

  // RESOURCE_EXHAUSTED SERVER_OVERLOADED when there are too many, UNAVAILABLE SERVER_DRAINING after
  // Close.
  absl::StatusOr<std::unique_ptr<Place>> Enter();
  // The stream that holds the place. Aborted at once if the registry was closed in between.
  void Attach(const Place& place, const std::shared_ptr<OpenStream>& stream);

  // Ends every stream and refuses new ones.
  void Close();
  // Breaks off streams whose write began before `before`; how many.
  int AbortStalled(SteadyTime before);
  [[nodiscard]] int64_t size() const;

 private:
  [[nodiscard]] std::vector<std::shared_ptr<OpenStream>> Open() const;

  const int64_t limit_;
  const std::string limit_name_;
  mutable std::mutex mutex_;
  Streams streams_;      // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace tokensim
