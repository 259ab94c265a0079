// The specs and reports that were read last, so that they are not decompressed for every call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

#include "google/protobuf/message.h"

namespace tokensim {

// Bounded by bytes: those used longest ago go first. Thread-safety: none.
class MessageCache {
 public:
  using Entry = std::shared_ptr<const google::protobuf::Message>;

  explicit MessageCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Null: not there.
  [[nodiscard]] Entry Find(int64_t key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    recent_.splice(recent_.begin(), recent_, found->second);
    return found->second->message;
  }

  // Replaces what the key had.
  void Put(int64_t key, Entry message) {
    Erase(key);
    const size_t bytes = message->SpaceUsedLong();
    if (bytes > max_bytes_) return;
    recent_.push_front({key, bytes, std::move(message)});
    places_[key] = recent_.begin();
    bytes_ += bytes;
    while (bytes_ > max_bytes_) Erase(recent_.back().key);
  }

  void Erase(int64_t key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    bytes_ -= found->second->bytes;
    recent_.erase(found->second);
    places_.erase(found);
  }

 private:
  struct Item {
    int64_t key;
    size_t bytes;
    Entry message;
  };

  const size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Item> recent_;
  std::unordered_map<int64_t, std::list<Item>::iterator> places_;
};

}  // namespace tokensim
