// Collects what is wrong with a spec, with the field's path. Internal to engine/io.
//
//   Checker check(&findings, "workers[0].memory");
//   check.Range("block_size", memory.block_size(), 1, 65'536);
//
// Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/time.h"
#include "tokensim/v1/simulation.pb.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

inline constexpr char kSpecInvalid[] = "SPEC_INVALID";
inline constexpr char kModelDoesNotFit[] = "MODEL_DOES_NOT_FIT";
inline constexpr char kCatalogEntryNotFound[] = "CATALOG_ENTRY_NOT_FOUND";

// At most 200; the rest is counted.
//
// One mistake gives one finding: of a field that could not be read nothing more is said, and who
// needs a part that is wrong asks Broken first.
class Findings {
 public:
  Findings() = default;
  // `unread`: fields of the spec that are not in the message, because their text was wrong. "a.*" is
  // some field of a. "" is everything. `given`: the spec as the user wrote it, which outlives this;
  // a finding about what a group of workers takes from the spec names the spec's field.
  explicit Findings(std::vector<std::string> unread, const v1::Spec* given = nullptr)
      : unread_(std::move(unread)), given_(given) {}

  void Error(std::string field, std::string message, std::string_view reason = kSpecInvalid);
  // An error because the field is absent, or a message without any: "is missing: ...".
  void Missing(std::string field, std::string message);
  void Warning(std::string field, std::string message, std::string_view reason = kSpecInvalid);

  // Whether there are errors in the field, or it or a part of it could not be read.
  [[nodiscard]] bool Broken(const std::string& field) const;
  // The same, but that errors in the part `beside` of the field do not count.
  [[nodiscard]] bool BrokenBeside(const std::string& field, const std::string& beside) const;
  // Whether the spec has neither errors nor fields that could not be read.
  [[nodiscard]] bool good() const { return errors_ == 0 && unread_.empty(); }
  [[nodiscard]] int64_t errors() const { return errors_; }
  // In the order of the spec's fields.
  [[nodiscard]] std::vector<v1::Finding> Take();

 private:
  void Add(v1::Finding::Severity severity, std::string field, std::string message,
           std::string_view reason);
  // Where the user gave the field.
  [[nodiscard]] std::string PlaceOf(const std::string& field) const;
  // It, or what it is part of, could not be read.
  [[nodiscard]] bool Unread(const std::string& field) const;

  std::vector<std::string> unread_;
  const v1::Spec* given_ = nullptr;
  std::set<std::string> broken_;  // fields with errors
  int64_t errors_ = 0;
  int64_t dropped_ = 0;
  std::vector<v1::Finding> findings_;
  std::set<std::pair<std::string, std::string>> told_;  // field and message: groups share fields
};

// Whether `inner` is `outer` or a part of it. Everything is a part of "".
[[nodiscard]] bool Within(std::string_view inner, std::string_view outer);
// a.b; b when a is empty.
[[nodiscard]] std::string JoinPath(std::string_view a, std::string_view b);
// 1,000,000.
[[nodiscard]] std::string Grouped(int64_t value);
// 12.55 GiB.
[[nodiscard]] std::string Gibibytes(double bytes);

// Checks of the fields of one message. Each returns whether the value is good.
class Checker {
 public:
  Checker(Findings* findings, std::string path) : findings_(findings), path_(std::move(path)) {}

  bool Range(std::string_view field, int64_t value, int64_t min, int64_t max) const;
  // 0 < value <= max.
  bool Positive(std::string_view field, double value, double max) const;
  // 0 <= value <= max.
  bool NotNegative(std::string_view field, double value, double max) const;
  bool Required(std::string_view field, bool present, std::string_view what_for) const;
  bool Length(std::string_view field, const std::string& text, size_t max) const;

  void Error(std::string_view field, std::string message,
             std::string_view reason = kSpecInvalid) const {
    findings_->Error(Path(field), std::move(message), reason);
  }
  void Missing(std::string_view field, std::string message) const {
    findings_->Missing(Path(field), std::move(message));
  }
  [[nodiscard]] bool Broken(std::string_view field) const { return findings_->Broken(Path(field)); }
  void Warning(std::string_view field, std::string message) const {
    findings_->Warning(Path(field), std::move(message));
  }
  // An unknown name of a kind ("model preset"), of the catalog's unless the reason says otherwise.
  void NotFound(std::string_view field, std::string_view kind, const std::string& name,
                const std::vector<std::string>& known,
                std::string_view reason = kCatalogEntryNotFound) const;

  [[nodiscard]] std::string Path(std::string_view field) const { return JoinPath(path_, field); }
  [[nodiscard]] Findings* findings() const { return findings_; }

 private:
  Findings* findings_;
  std::string path_;
};

}  // namespace tokensim
