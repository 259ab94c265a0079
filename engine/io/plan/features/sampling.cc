#include "engine/io/plan/features/sampling.h"

#include <string>
#include <string_view>
#include <vector>

#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

template <typename Value>
struct Named {
  std::string_view name;
  Value value;
};
constexpr Named<SamplingMethod> kMethods[] = {{"greedy", SamplingMethod::kGreedy},
                                              {"plain", SamplingMethod::kRandom},
                                              {"filtered", SamplingMethod::kFiltered}};
constexpr Named<SamplingFilter> kFilters[] = {{"sort", SamplingFilter::kSort},
                                              {"triton", SamplingFilter::kTriton},
                                              {"flashinfer", SamplingFilter::kFlashInfer}};
constexpr FieldRule kFields[] = {Flag("penalties").Default(0)};
constexpr char kDefaultMethod[] = "plain";
constexpr char kDefaultFilter[] = "flashinfer";

// The value of a name; of another word, that of the first.
template <typename Value, size_t kCount>
Value ValueOf(const Named<Value> (&known)[kCount], std::string_view name) {
  for (const Named<Value>& each : known) {
    if (each.name == name) return each.value;
  }
  return known[0].value;
}

template <typename Value, size_t kCount>
void CheckName(const Checker& check, std::string_view field, std::string_view kind,
               const Named<Value> (&known)[kCount], const std::string& name) {
  std::vector<std::string> names;
  for (const Named<Value>& each : known) {
    if (each.name == name) return;
    names.emplace_back(each.name);
  }
  check.NotFound(field, kind, name, names, kSpecInvalid);
}

}  // namespace

void ResolveSampling(v1::Spec* spec, Findings* findings) {
  if (!spec->has_sampling()) return;
  const Checker check(findings, "sampling");
  v1::Sampling* sampling = spec->mutable_sampling();
  ResolveFields(check, kFields, sampling);
  if (sampling->method().empty()) sampling->set_method(kDefaultMethod);
  CheckName(check, "method", "way to sample", kMethods, sampling->method());
  if (sampling->method() != "filtered") {
    if (!sampling->filter().empty()) {
      check.Error("filter", "is of the method filtered; the method is " + sampling->method());
    }
    return;
  }
  if (sampling->filter().empty()) sampling->set_filter(kDefaultFilter);
  CheckName(check, "filter", "filter", kFilters, sampling->filter());
}

SamplingConfig ToSampling(const v1::Sampling& sampling) {
  return {.method = ValueOf(kMethods, sampling.method()),
          .filter = ValueOf(kFilters, sampling.filter()),
          .penalties = sampling.penalties()};
}

}  // namespace tokensim
