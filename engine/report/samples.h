// The values of one metric, computed from the columns of a run into memory that the next metric
// uses again.
//
//   Samples samples;
//   samples.Fill(table, Applies, Value);              // Value(i) of the rows i with Applies(i)
//   Distribution ttft = Summarize(samples.all());
//   samples.FillGroups(table, groups, GroupOf, Value);   // GroupOf(i): below groups, or kNoGroup
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
    values_.clear();
    for (size_t i = 0; i < table.size(); ++i) {
      if (applies(i)) values_.push_back(value(i));
    }
  }

  template <typename GroupOf, typename Value>
  void FillGroups(const RequestTable& table, size_t groups, GroupOf group_of, Value value) {
    begins_.assign(groups + 1, 0);
    for (size_t i = 0; i < table.size(); ++i) {
      if (const size_t group = group_of(i); group != kNoGroup) ++begins_[group + 1];
    }
    for (size_t group = 0; group < groups; ++group) begins_[group + 1] += begins_[group];
    values_.resize(begins_[groups]);
    std::vector<size_t> next = begins_;
    for (size_t i = 0; i < table.size(); ++i) {
      if (const size_t group = group_of(i); group != kNoGroup) values_[next[group]++] = value(i);
    }
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
