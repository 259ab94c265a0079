#include "engine/base/nearest.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tokensim {
namespace {

constexpr size_t kLongestWord = 100;

std::string Fold(std::string_view word) {
  std::string folded(word.substr(0, kLongestWord));
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-' || c == ' ') c = '_';
  }
  return folded;
}

// Optimal string alignment distance.
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> above(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

bool Contains(const std::string& a, const std::string& b) {
  return b.size() >= 3 && a.find(b) != std::string::npos;
}

}  // namespace

std::vector<std::string> NearestNames(std::string_view word,
                                      const std::vector<std::string>& candidates, size_t limit) {
  const std::string folded = Fold(word);
  if (folded.empty()) return {};
  const size_t tolerance = std::max<size_t>(1, folded.size() / 3);
  std::vector<std::tuple<size_t, std::string>> ranked;
  for (const std::string& candidate : candidates) {
    const std::string other = Fold(candidate);
    const size_t distance = Distance(folded, other);
    if (distance <= tolerance) {
      ranked.emplace_back(distance, candidate);
    } else if (Contains(other, folded) || Contains(folded, other)) {
      ranked.emplace_back(tolerance + distance, candidate);
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return std::get<0>(a) < std::get<0>(b); });
  if (ranked.size() > limit) ranked.resize(limit);
  std::vector<std::string> names;
  for (auto& entry : ranked) names.push_back(std::move(std::get<1>(entry)));
  return names;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates,
                       size_t limit) {
  const std::vector<std::string> names = NearestNames(word, candidates, limit);
  if (names.empty()) return "";
  return absl::StrCat("; did you mean ", absl::StrJoin(names, " or "), "?");
}

std::string Quote(std::string_view text) {
  constexpr size_t kLongest = 60;
  std::string shown(text.substr(0, kLongest));
  if (text.size() > kLongest) {
    // Do not leave half a UTF-8 character.
    while (!shown.empty() && (static_cast<unsigned char>(text[shown.size()]) & 0xC0) == 0x80) {
      shown.pop_back();
    }
    shown += "...";
  }
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return absl::StrCat("'", shown, "'");
}

}  // namespace tokensim
