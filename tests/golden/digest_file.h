// Digests of results, kept in a file beside the tests.
//
// A line of the file is a name and some digests. A run with TOKENSIM_UPDATE_GOLDEN=1 writes the
// file anew instead of comparing: the change of it then shows which results a commit changes.
//
//   DigestFile file("examples.txt");
//   file.Check("burst", {{"report", Fnv1a(report)}, {"rows", Fnv1a(rows)}});
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokensim {

// 64-bit FNV-1a, for which nothing depends on the machine.
// http://www.isthe.com/chongo/tech/comp/fnv
class Fnv1a {
 public:
  Fnv1a& Add(std::string_view bytes);
  Fnv1a& Add(int64_t value);
  Fnv1a& Add(double value);
  [[nodiscard]] std::string hex() const;

 private:
  uint64_t state_ = 0xcbf29ce484222325ULL;
};

class DigestFile {
 public:
  // Reads the file `name` of this folder.
  explicit DigestFile(const std::string& name);
  // Writes it, when it is to be updated.
  ~DigestFile();
  DigestFile(const DigestFile&) = delete;
  DigestFile& operator=(const DigestFile&) = delete;

  // Fails the test when the entry has other digests than these. Entries have a name without blanks.
  void Check(const std::string& name,
             const std::vector<std::pair<std::string, std::string>>& digests);

 private:
  const std::string path_;
  const bool update_;
  std::map<std::string, std::string> entries_;
};

}  // namespace tokensim
