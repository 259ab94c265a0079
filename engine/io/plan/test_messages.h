// Random messages of any type, for tests.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "engine/base/rng.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace tokensim {

// Fills messages through reflection: fields at random, with ordinary and extreme values.
class RandomMessages {
 public:
  explicit RandomMessages(uint64_t seed) : rng_(seed, "messages") {}

  // Each field is set with probability `density`.
  void Fill(double density, google::protobuf::Message* message) {
    const google::protobuf::Descriptor& type = *message->GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      if (rng_.Uniform() < density) Set(density, *type.field(i), message);
    }
  }

  // Changes one field somewhere inside.
  void Mutate(google::protobuf::Message* message) {
    const google::protobuf::Descriptor& type = *message->GetDescriptor();
    if (type.field_count() == 0) return;
    const auto& field = *type.field(static_cast<int>(Below(type.field_count())));
    const auto* r = message->GetReflection();
    const bool is_message =
        field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE && !field.is_map();
    if (is_message && !field.is_repeated() && r->HasField(*message, &field) && Below(4) != 0) {
      return Mutate(r->MutableMessage(message, &field));
    }
    if (is_message && field.is_repeated() && r->FieldSize(*message, &field) > 0 && Below(4) != 0) {
      return Mutate(r->MutableRepeatedMessage(
          message, &field, static_cast<int>(Below(r->FieldSize(*message, &field)))));
    }
    if (Below(3) == 0) {
      r->ClearField(message, &field);
    } else {
      Set(0.3, field, message);
    }
  }

  std::string Text() {
    static constexpr const char* kTexts[] = {
        "",       "a",       "null",     "~",    "yes",   "1e3",    "a: b",   "# no",
        "- x",    "'",       "\"q\"",    "a\nb", " lead", "trail ", "\u00B5", "{}",
        "*alias", "&anchor", "\x01\x7f", "\\",   "a  b",  "%x",     "\t",     "---"};
    return kTexts[Below(std::size(kTexts))];
  }

 private:
  uint64_t Below(uint64_t n) { return rng_.Below(n); }

  int64_t Integer() {
    switch (Below(6)) {
      case 0:
        return std::numeric_limits<int64_t>::max();
      case 1:
        return std::numeric_limits<int64_t>::min();
      case 2:
        return -static_cast<int64_t>(Below(10));
      case 3:
        return static_cast<int64_t>(Below(1000)) << Below(40);
      default:
        return static_cast<int64_t>(Below(100));
    }
  }
  double Real() {
    static constexpr double kReals[] = {0,      -0.0,   1,      0.5, -1,  1e-9,   1e300,
                                        1e-300, 6.6e-6, 312e12, 2e6, 0.9, 1.0 / 3};
    switch (Below(8)) {
      case 0:
        return std::numeric_limits<double>::infinity();
      case 1:
        return rng_.Uniform();
      default:
        return kReals[Below(std::size(kReals))];
    }
  }

  void Set(double density, const google::protobuf::FieldDescriptor& field,
           google::protobuf::Message* message) {
    using google::protobuf::FieldDescriptor;
    const auto* r = message->GetReflection();
    const FieldDescriptor* f = &field;
    if (field.is_map()) return;
    const bool many = field.is_repeated();
    for (uint64_t n = many ? Below(4) : 1; n > 0; --n) {
      switch (field.cpp_type()) {
        case FieldDescriptor::CPPTYPE_INT32: {
          const auto value = static_cast<int32_t>(Integer());
          many ? r->AddInt32(message, f, value) : r->SetInt32(message, f, value);
          break;
        }
        case FieldDescriptor::CPPTYPE_INT64:
          many ? r->AddInt64(message, f, Integer()) : r->SetInt64(message, f, Integer());
          break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
          many ? r->AddDouble(message, f, Real()) : r->SetDouble(message, f, Real());
          break;
        case FieldDescriptor::CPPTYPE_BOOL:
          many ? r->AddBool(message, f, true) : r->SetBool(message, f, Below(2) == 0);
          break;
        case FieldDescriptor::CPPTYPE_ENUM: {
          const int value = static_cast<int>(Below(9)) - 1;
          many ? r->AddEnumValue(message, f, value) : r->SetEnumValue(message, f, value);
          break;
        }
        case FieldDescriptor::CPPTYPE_STRING:
          many ? r->AddString(message, f, Text()) : r->SetString(message, f, Text());
          break;
        case FieldDescriptor::CPPTYPE_MESSAGE:
          Fill(density, many ? r->AddMessage(message, f) : r->MutableMessage(message, f));
          break;
        default:
          break;
      }
    }
  }

  RngStream rng_;
};

}  // namespace tokensim
