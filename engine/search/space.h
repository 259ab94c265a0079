// The points of a sweep: what each run assigns to which fields.
//
//   Space space;
//   space.Vary("workers.gpu.count=1,2,4");                        three values
//   space.Vary("prefill.count=1..7; decode.count=7,6,5,4,3,2,1"); tied: the first with the first
//   space.Variant("device=h100: workers.gpu.hardware=h100-sxm");  a choice with a name of its own
//   space.Variant("device=b200: workers.gpu.hardware=b200");
//   space.Where("prefill.count + decode.count == 8");
//   absl::StatusOr<std::vector<Point>> points = space.Points();
//
// Axes multiply in the order they were given, the last changes fastest. A text that is wrong is
// INVALID_ARGUMENT and changes nothing. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/search/condition.h"

namespace tokensim::search {

// More points than that are refused, before conditions and sampling.
inline constexpr size_t kMaxPoints = 100'000;

// To set before a run: a field's path and its value, both as the user wrote them.
struct Assignment {
  std::string path;
  std::string value;

  bool operator==(const Assignment&) const = default;
};

struct Point {
  std::vector<std::string> cells;  // by column of the space
  std::vector<Assignment> assignments;
};

class Space {
 public:
  [[nodiscard]] absl::Status Vary(absl::string_view text);
  // Variants of one name are the choices of one axis.
  [[nodiscard]] absl::Status Variant(absl::string_view text);
  // Of the columns that exist: after every axis.
  [[nodiscard]] absl::Status Where(absl::string_view text);

  // What the axes are called: paths, and names of variants.
  [[nodiscard]] std::vector<std::string> columns() const;
  // Points before conditions.
  [[nodiscard]] size_t size() const;
  // Those that meet every condition; one without assignments when there is no axis.
  [[nodiscard]] absl::StatusOr<std::vector<Point>> Points() const;

 private:
  struct Choice {
    std::vector<std::string> cells;
    std::vector<Assignment> assignments;
  };
  struct Axis {
    std::vector<std::string> columns;
    std::vector<Choice> choices;
    bool variants = false;
  };

  [[nodiscard]] bool HasColumn(absl::string_view name) const;

  std::vector<Axis> axes_;
  std::vector<Condition> conditions_;
};

// `count` of the points in their order, drawn without putting back; all when there are no more. The
// same seed gives the same points on every machine.
[[nodiscard]] std::vector<Point> Sample(std::vector<Point> points, size_t count, uint64_t seed);

}  // namespace tokensim::search
