// The encoding: each set field, by increasing number, as
//   number (8 bytes)  count (8 bytes)  values
// with integers, enums and booleans as 8 bytes, doubles as the 8 bytes of their IEEE form (-0 as
// 0), strings and messages preceded by their length or followed by the end mark 0. All little
// endian.
#include "engine/io/plan/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/base/invariant.h"

namespace tokensim {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kEncodingName[] = "tokensim.v1.Spec encoding 1";

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    TOKENSIM_INVARIANT(
        context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
        "SHA-256 is not available");
    buffer_.reserve(kBuffer + 8);
  }

  void Number(uint64_t value) {
    for (int i = 0; i < 8; ++i) buffer_.push_back(static_cast<char>(value >> (8 * i)));
    if (buffer_.size() >= kBuffer) Flush();
  }
  void Text(std::string_view text) {
    Number(text.size());
    Flush();
    EVP_DigestUpdate(context_.get(), text.data(), text.size());
  }
  std::string Finish() {
    Flush();
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), hash, &size);
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(hash), size));
  }

 private:
  static constexpr size_t kBuffer = 4096;

  void Flush() {
    EVP_DigestUpdate(context_.get(), buffer_.data(), buffer_.size());
    buffer_.clear();
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  std::string buffer_;
};

uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value == 0 ? 0.0 : value); }

bool Counts(const FieldDescriptor& field) {
  if (field.containing_type() == v1::Spec::descriptor() && field.name() == "name") return false;
  return field.name() != "description" && field.name() != "source";
}

void HashMessage(const Message& message, Hasher* hasher);

// A field, or element `index` (>= 0) of a repeated one.
void HashValue(const Message& m, const FieldDescriptor* f, int index, Hasher* hasher) {
  const Reflection& r = *m.GetReflection();
  const bool one = index < 0;
  switch (f->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return hasher->Number(
          static_cast<uint64_t>(int64_t{one ? r.GetInt32(m, f) : r.GetRepeatedInt32(m, f, index)}));
    case FieldDescriptor::CPPTYPE_INT64:
      return hasher->Number(
          static_cast<uint64_t>(one ? r.GetInt64(m, f) : r.GetRepeatedInt64(m, f, index)));
    case FieldDescriptor::CPPTYPE_UINT32:
      return hasher->Number(one ? r.GetUInt32(m, f) : r.GetRepeatedUInt32(m, f, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return hasher->Number(one ? r.GetUInt64(m, f) : r.GetRepeatedUInt64(m, f, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return hasher->Number(Bits(one ? r.GetDouble(m, f) : r.GetRepeatedDouble(m, f, index)));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return hasher->Number(Bits(one ? r.GetFloat(m, f) : r.GetRepeatedFloat(m, f, index)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return hasher->Number((one ? r.GetBool(m, f) : r.GetRepeatedBool(m, f, index)) ? 1 : 0);
    case FieldDescriptor::CPPTYPE_ENUM:
      return hasher->Number(static_cast<uint64_t>(
          int64_t{one ? r.GetEnumValue(m, f) : r.GetRepeatedEnumValue(m, f, index)}));
    case FieldDescriptor::CPPTYPE_STRING:
      return hasher->Text(one ? r.GetString(m, f) : r.GetRepeatedString(m, f, index));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return HashMessage(one ? r.GetMessage(m, f) : r.GetRepeatedMessage(m, f, index), hasher);
  }
}

void HashMessage(const Message& message, Hasher* hasher) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (!Counts(*field)) continue;
    const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
    hasher->Number(static_cast<uint64_t>(field->number()));
    hasher->Number(static_cast<uint64_t>(count));
    for (int i = 0; i < count; ++i)
      HashValue(message, field, field->is_repeated() ? i : -1, hasher);
  }
  hasher->Number(0);
}

}  // namespace

std::string SpecDigest(const v1::Spec& resolved) {
  Hasher hasher;
  hasher.Text(kEncodingName);
  HashMessage(resolved, &hasher);
  return absl::StrCat("sha256:", hasher.Finish());
}

}  // namespace tokensim
