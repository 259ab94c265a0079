// Collects what is wrong with a spec, with the field's path. Internal to engine/io.
//
//   Checker check(&findings, "workers[0].memory");
//   check.Range("block_size", memory.block_size(), 1, 65'536);
//
// Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokensim/v1/simulation.pb.h"

namespace tokensim {

inline constexpr char kSpecInvalid[] = "SPEC_INVALID";
inline constexpr char kModelDoesNotFit[] = "MODEL_DOES_NOT_FIT";
inline constexpr char kCatalogEntryNotFound[] = "CATALOG_ENTRY_NOT_FOUND";

inline constexpr double kMaxSimulatedSeconds = 9e9;  // 285 years; SimTime holds 292

// At most 200; the rest is counted.
class Findings {
 public:
  void Error(std::string field, std::string message, std::string_view reason = kSpecInvalid);
  void Warning(std::string field, std::string message, std::string_view reason = kSpecInvalid);

  [[nodiscard]] int64_t errors() const { return errors_; }
  // In the order of the spec's fields.
  [[nodiscard]] std::vector<v1::Finding> Take();

 private:
  void Add(v1::Finding::Severity severity, std::string field, std::string message,
           std::string_view reason);

  int64_t errors_ = 0;
  int64_t dropped_ = 0;
  std::vector<v1::Finding> findings_;
};

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
