// The records of a run as columns: a list of RequestRecords that takes little memory.
//
//   RequestTable table;
//   table.Add(record);
//   for (const RequestRecord& r : table) Use(r);          // each row is put together when asked
//   for const SimTime ttft = table.first_token(i) - table.arrival(i);
//
// A row takes 68 bytes. Figures that few runs have (preemptions, conversations, transfers, ...)
// take none until there is one, and then only in the chunk of rows around it.
//
// Thread-safety: const methods may be called at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "engine/run/request_record.h"

namespace tokensim {

// A column in chunks: growing copies nothing and touches no memory that is not needed yet.
template <typename T>
class Column {
 public:
  void Add(T value) {
    if (size_++ % kChunk == 0) chunks_.emplace_back().reserve(kChunk);
    chunks_.back().push_back(value);
  }
  [[nodiscard]] T operator[](size_t i) const { return chunks_[i / kChunk][i % kChunk]; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  static constexpr size_t kChunk = 4096;

  std::vector<std::vector<T>> chunks_;
  size_t size_ = 0;
};

// A column that mostly holds `kDefault`: a chunk without any other value takes no memory.
template <typename T, T kDefault>
class SparseColumn {
 public:
  // Row `i`, which has kDefault until then.
  void Set(size_t i, T value) {
    if (value == kDefault) return;
    if (i / kChunk >= chunks_.size()) chunks_.resize(i / kChunk + 1);
    std::vector<T>& chunk = chunks_[i / kChunk];
    if (chunk.empty()) chunk.resize(kChunk, kDefault);
    chunk[i % kChunk] = value;
  }
  [[nodiscard]] T operator[](size_t i) const {
    if (i / kChunk >= chunks_.size() || chunks_[i / kChunk].empty()) return kDefault;
    return chunks_[i / kChunk][i % kChunk];
  }

 private:
  static constexpr size_t kChunk = 4096;

  std::vector<std::vector<T>> chunks_;
};

class RequestTable final : public RecordSink {
 public:
  // Of a row without rare figures: a field of 8 bytes for each of the first seven columns, of 4 for
  // the next three.
  static constexpr int64_t kRowBytes = 7 * 8 + 3 * 4;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = RequestRecord;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = RequestRecord;

    Iterator(const RequestTable* table, size_t row) : table_(table), row_(row) {}
    RequestRecord operator*() const { return (*table_)[row_]; }
    Iterator& operator++() {
      ++row_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const RequestTable* table_;
    size_t row_;
  };

  RequestTable() = default;
  RequestTable(std::initializer_list<RequestRecord> rows) {
    for (const RequestRecord& row : rows) Add(row);
  }
  // Implicit on purpose: a list of rows is a table.
  RequestTable(const std::vector<RequestRecord>& rows) {  // NOLINT(google-explicit-constructor)
    for (const RequestRecord& row : rows) Add(row);
  }

  void Add(const RequestRecord& record) override;

  [[nodiscard]] size_t size() const { return request_id_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // The row by value.
  [[nodiscard]] RequestRecord operator[](size_t i) const;
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, size()}; }
  [[nodiscard]] std::vector<RequestRecord> Rows() const;

  // One figure of row `i`.
  [[nodiscard]] int64_t request_id(size_t i) const { return request_id_[i]; }
  [[nodiscard]] SimTime arrival(size_t i) const { return arrival_[i]; }
  [[nodiscard]] SimTime scheduled(size_t i) const { return scheduled_[i]; }
  [[nodiscard]] SimTime first_token(size_t i) const { return first_token_[i]; }
  [[nodiscard]] SimTime finish(size_t i) const { return finish_[i]; }
  [[nodiscard]] SimTime max_itl(size_t i) const { return max_itl_[i]; }
  [[nodiscard]] int32_t input_tokens(size_t i) const { return input_tokens_[i]; }
  [[nodiscard]] int32_t output_tokens(size_t i) const { return output_tokens_[i]; }
  [[nodiscard]] int32_t cached_tokens(size_t i) const { return cached_tokens_[i]; }
  [[nodiscard]] int32_t preemptions(size_t i) const { return preemptions_[i]; }
  [[nodiscard]] int32_t client_class(size_t i) const { return client_class_[i]; }
  [[nodiscard]] SimTime kv_transfer(size_t i) const { return kv_transfer_[i]; }
  [[nodiscard]] SimTime decode_queueing(size_t i) const { return decode_queueing_[i]; }
  [[nodiscard]] bool finished(size_t i) const { return reject_reason_[i] == RejectReason::kNone; }

 private:
  Column<int64_t> request_id_;
  Column<SimTime> arrival_;
  Column<SimTime> queued_;
  Column<SimTime> scheduled_;
  Column<SimTime> first_token_;
  Column<SimTime> finish_;
  Column<SimTime> max_itl_;
  Column<int32_t> input_tokens_;
  Column<int32_t> output_tokens_;
  Column<int32_t> worker_;
  SparseColumn<int32_t, 0> cached_tokens_;
  SparseColumn<int32_t, 0> preemptions_;
  SparseColumn<RejectReason, RejectReason::kNone> reject_reason_;
  SparseColumn<int32_t, 0> client_class_;
  SparseColumn<int32_t, 0> turn_;
  SparseColumn<int32_t, 0> prefill_worker_;  // less worker_: mostly they are the same
  SparseColumn<int64_t, -1> conversation_;
  SparseColumn<SimTime, kUnset> kv_transfer_;
  SparseColumn<SimTime, kUnset> decode_queueing_;
};

}  // namespace tokensim
