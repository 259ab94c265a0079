// The constants of a host that a fit may change: names, units and physical ranges in one place.
//
//   const FitConstant* constant = FindConstant("iteration_seconds");
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tokensim::accuracy {

// A field of a calibration.
struct FitConstant {
  std::string_view name;
  std::string_view unit;  // s, or empty: a factor
  double min = 0;
  double max = 0;
  double neutral = 0;        // adds nothing
  double width = 0;          // a change that is worth looking at
  bool front_end = false;    // shared by all workers: in the calibration of the spec
  std::string_view meaning;  // one line
};

[[nodiscard]] std::span<const FitConstant> FitConstants();
[[nodiscard]] const FitConstant* FindConstant(std::string_view name);  // null: none

}  // namespace tokensim::accuracy
