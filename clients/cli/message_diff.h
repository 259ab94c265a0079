// What differs between two messages of one type, field by field.
//
//   for (const FieldDifference& d : DiffMessages(a, b)) cout << d.path << ": " << d.a << d.b;
//
// Paths are those of --set: workload.arrival.poisson.rate_per_second, workers[0].count. A field that
// only one of them has, is empty in the other; a message that only one has, appears with its fields.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

namespace tokensim::cli {

struct FieldDifference {
  std::string path;
  std::string a;
  std::string b;

  bool operator==(const FieldDifference&) const = default;
};

// In the order of the fields. Numbers are compared bit by bit (but 0 and -0 are equal).
[[nodiscard]] std::vector<FieldDifference> DiffMessages(const google::protobuf::Message& a,
                                                        const google::protobuf::Message& b);

}  // namespace tokensim::cli
