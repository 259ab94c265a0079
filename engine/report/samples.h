// The values of one metric, computed from the columns of a run into memory that the next metric
// uses again.
//
//   Samples samples;
//   samples.Fill(table, Applies, Value);              // Value(row) of the rows with Applies(row)
//   Distribution ttft = Summarize(samples.all());
//   samples.FillGroups(table, groups, GroupOf, Value);   // GroupOf(row): below groups, or kNoGroup
//   Distribution first = Summarize(samples.group(0));
//
// Values keep the order of the rows.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/run/request_table.h"

namespace tokensim {

class Samples {
 public:
  static constexpr size_t kNoGroup = static_cast<size_t>(-1);

  template <typename Applies, typename Value>
  void Fill(const RequestTable& table, Applies applies, Value value) {
    values_.resize(table.size());
    size_t count = 0;
    table.ForEach([&](const RequestTable::Row& row) {
      if (applies(row)) values_[count++] = value(row);
    });
    values_.resize(count);
  }

  template <typename GroupOf, typename Value>
  void FillGroups(const RequestTable& table, size_t groups, GroupOf group_of, Value value) {
    begins_.assign(groups + 1, 0);
    table.ForEach([&](const RequestTable::Row& row) {
      if (const size_t group = group_of(row); group != kNoGroup) ++begins_[group + 1];
    });
    for (size_t group = 0; group < groups; ++group) begins_[group + 1] += begins_[group];
    values_.resize(begins_[groups]);
    std::vector<size_t> next = begins_;
    table.ForEach([&](const RequestTable::Row& row) {
      if (const size_t group = group_of(row); group != kNoGroup)
        values_[next[group]++] = value(row);
    });
  }

  [[nodiscard]] std::span<const double> all() const { return values_; }
  // The rows of one of the groups, after FillGroups.
  [[nodiscard]] std::span<const double> group(size_t group) const {
    return all().subspan(begins_[group], begins_[group + 1] - begins_[group]);
  }

 private:
  std::vector<double> values_;
  std::vector<size_t> begins_;  // of the groups in values_, and the end of the last
};

}  // namespace tokensim
