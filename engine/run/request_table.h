// The records of a run as columns: a list of RequestRecords that takes little memory.
//
//   RequestTable table;
//   table.Add(record);
//   table.ForEach([](const RequestTable::Row& row) { Use(row.first_token() - row.arrival()); });
//   for (const RequestRecord& r : table) Use(r);          // each record is put together when asked
//
// A row takes 68 bytes. Figures that few runs have (preemptions, conversations, transfers, ...)
// take none until there is one, and then only in the chunk of rows around it.
//
// Thread-safety: const methods may be called at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "engine/run/request_record.h"

namespace tokensim {

class RequestTable final : public RecordSink {
 private:
  static constexpr size_t kChunk = 1024;

  // A column of one chunk that mostly holds `kDefault`: without another value it takes no memory.
  template <typename T, T kDefault>
  class Rare {
   public:
    void Set(size_t i, T value) {
      if (value == kDefault) return;
      if (values_.empty()) values_.resize(kChunk, kDefault);
      values_[i] = value;
    }
    [[nodiscard]] T operator[](size_t i) const { return values_.empty() ? kDefault : values_[i]; }

   private:
    std::vector<T> values_;
  };

  // A chunk of rows. Memory of rows that are not there yet is not touched.
  struct Chunk {
    Chunk() {}  // NOLINT(modernize-use-equals-default): leaves the columns as they are

    int64_t request_id[kChunk];
    SimTime arrival[kChunk];
    SimTime queued[kChunk];
    SimTime scheduled[kChunk];
    SimTime first_token[kChunk];
    SimTime finish[kChunk];
    SimTime max_itl[kChunk];
    int32_t input_tokens[kChunk];
    int32_t output_tokens[kChunk];
    int32_t worker[kChunk];
    Rare<int32_t, 0> cached_tokens;
    Rare<int32_t, 0> preemptions;
    Rare<RejectReason, RejectReason::kNone> reject_reason;
    Rare<int32_t, 0> client_class;
    Rare<int32_t, 0> turn;
    Rare<int32_t, 0> prefill_worker;  // less worker: mostly they are the same
    Rare<int64_t, -1> conversation;
    Rare<SimTime, kUnset> kv_transfer;
    Rare<SimTime, kUnset> decode_queueing;
  };

 public:
  // Of a row without rare figures: a field of 8 bytes for each of the first seven columns, of 4 for
  // the next three.
  static constexpr int64_t kRowBytes = 7 * 8 + 3 * 4;

  // One row. Lives as long as the table does not grow.
  class Row {
   public:
    [[nodiscard]] int64_t request_id() const { return c_->request_id[i_]; }
    [[nodiscard]] SimTime arrival() const { return c_->arrival[i_]; }
    [[nodiscard]] SimTime queued() const { return c_->queued[i_]; }
    [[nodiscard]] SimTime scheduled() const { return c_->scheduled[i_]; }
    [[nodiscard]] SimTime first_token() const { return c_->first_token[i_]; }
    [[nodiscard]] SimTime finish() const { return c_->finish[i_]; }
    [[nodiscard]] SimTime max_itl() const { return c_->max_itl[i_]; }
    [[nodiscard]] int32_t input_tokens() const { return c_->input_tokens[i_]; }
    [[nodiscard]] int32_t output_tokens() const { return c_->output_tokens[i_]; }
    [[nodiscard]] int32_t cached_tokens() const { return c_->cached_tokens[i_]; }
    [[nodiscard]] int32_t worker() const { return c_->worker[i_]; }
    [[nodiscard]] int32_t preemptions() const { return c_->preemptions[i_]; }
    [[nodiscard]] RejectReason reject_reason() const { return c_->reject_reason[i_]; }
    [[nodiscard]] bool finished() const { return reject_reason() == RejectReason::kNone; }
    [[nodiscard]] int32_t client_class() const { return c_->client_class[i_]; }
    [[nodiscard]] int32_t turn() const { return c_->turn[i_]; }
    [[nodiscard]] int32_t prefill_worker() const { return worker() + c_->prefill_worker[i_]; }
    [[nodiscard]] int64_t conversation() const { return c_->conversation[i_]; }
    [[nodiscard]] SimTime kv_transfer() const { return c_->kv_transfer[i_]; }
    [[nodiscard]] SimTime decode_queueing() const { return c_->decode_queueing[i_]; }

   private:
    friend class RequestTable;
    Row(const Chunk& chunk, size_t i) : c_(&chunk), i_(i) {}
    const Chunk* c_;
    size_t i_;
  };

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

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] Row row(size_t i) const { return {chunks_[i / kChunk], i % kChunk}; }
  // `visit` takes a Row, of every row in turn.
  template <typename Visit>
  void ForEach(Visit visit) const {
    size_t left = size_;
    for (const Chunk& chunk : chunks_) {
      const size_t rows = left < kChunk ? left : kChunk;
      for (size_t i = 0; i < rows; ++i) visit(Row(chunk, i));
      left -= rows;
    }
  }

  // The row as a record.
  [[nodiscard]] RequestRecord operator[](size_t i) const;
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, size()}; }
  [[nodiscard]] std::vector<RequestRecord> Rows() const;

 private:
  std::deque<Chunk> chunks_;  // a deque: growing copies nothing
  size_t size_ = 0;
};

}  // namespace tokensim
