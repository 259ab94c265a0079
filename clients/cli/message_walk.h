// Walks over every field of a message, for tests that must notice a field nobody thought of.
//
//   v1::Report report;
//   Fill(&report);
//   ForEachLeaf(&report, "", [](const Leaf& leaf) { ... leaf.path ... });
//
// Not thread-safe.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <functional>
#include <string>

namespace tokensim::cli {

// A scalar of a message.
struct Leaf {
  std::string path;     // as transfers.links[0].bytes
  std::string pattern;  // as transfers.links.bytes
  google::protobuf::Message* message;
  const google::protobuf::FieldDescriptor* field;
  int index;  // in a repeated field; -1: none

  [[nodiscard]] bool is_number() const {
    using Descriptor = google::protobuf::FieldDescriptor;
    return field->cpp_type() == Descriptor::CPPTYPE_INT32 ||
           field->cpp_type() == Descriptor::CPPTYPE_INT64 ||
           field->cpp_type() == Descriptor::CPPTYPE_DOUBLE;
  }
  [[nodiscard]] double number() const {
    using Descriptor = google::protobuf::FieldDescriptor;
    const google::protobuf::Reflection& r = *message->GetReflection();
    const bool repeated = index >= 0;
    switch (field->cpp_type()) {
      case Descriptor::CPPTYPE_INT32:
        return repeated ? r.GetRepeatedInt32(*message, field, index) : r.GetInt32(*message, field);
      case Descriptor::CPPTYPE_INT64:
        return static_cast<double>(repeated ? r.GetRepeatedInt64(*message, field, index)
                                            : r.GetInt64(*message, field));
      default:
        return repeated ? r.GetRepeatedDouble(*message, field, index)
                        : r.GetDouble(*message, field);
    }
  }
  // Sets it to the value of number `n`; an enum to its value at `n`, cyclically, but not the first.
  void Set(int64_t n) const {
    using Descriptor = google::protobuf::FieldDescriptor;
    const google::protobuf::Reflection& r = *message->GetReflection();
    const bool repeated = index >= 0;
    const auto set = [&](auto set_one, auto set_repeated, auto value) {
      if (repeated) {
        (r.*set_repeated)(message, field, index, value);
      } else {
        (r.*set_one)(message, field, value);
      }
    };
    using R = google::protobuf::Reflection;
    switch (field->cpp_type()) {
      case Descriptor::CPPTYPE_INT32:
        return set(&R::SetInt32, &R::SetRepeatedInt32, static_cast<int32_t>(n));
      case Descriptor::CPPTYPE_INT64:
        return set(&R::SetInt64, &R::SetRepeatedInt64, n);
      case Descriptor::CPPTYPE_DOUBLE:
        return set(&R::SetDouble, &R::SetRepeatedDouble, static_cast<double>(n) + 0.25);
      case Descriptor::CPPTYPE_STRING:
        return set(&R::SetString, &R::SetRepeatedString, "text" + std::to_string(n));
      case Descriptor::CPPTYPE_ENUM: {
        const int values = field->enum_type()->value_count();
        return set(&R::SetEnumValue, &R::SetRepeatedEnumValue,
                   field->enum_type()->value(1 + static_cast<int>(n % (values - 1)))->number());
      }
      default:
        // A type that no report has had yet: teach the walk about it.
        GOOGLE_LOG(FATAL) << field->full_name();
    }
  }
};

using LeafVisitor = std::function<void(const Leaf&)>;

// Every scalar that is in the message, in the order of its fields.
inline void ForEachLeaf(google::protobuf::Message* message, const LeafVisitor& visit,
                        const std::string& path = "", const std::string& pattern = "") {
  const google::protobuf::Descriptor& type = *message->GetDescriptor();
  const google::protobuf::Reflection& r = *message->GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    const std::string at = path + field->name();
    const std::string like = pattern + field->name();
    const bool is_message = field->message_type() != nullptr;
    const int count = field->is_repeated() ? r.FieldSize(*message, field) : 0;
    for (int k = 0; k < count; ++k) {
      const std::string element = at + '[' + std::to_string(k) + ']';
      if (is_message) {
        ForEachLeaf(r.MutableRepeatedMessage(message, field, k), visit, element + '.', like + '.');
      } else {
        visit({element, like, message, field, k});
      }
    }
    if (field->is_repeated()) continue;
    if (!is_message) {
      visit({at, like, message, field, -1});
    } else if (r.HasField(*message, field)) {
      ForEachLeaf(r.MutableMessage(message, field), visit, at + '.', like + '.');
    }
  }
}

// Makes every field present: repeated ones with two elements.
inline void Grow(google::protobuf::Message* message) {
  using Descriptor = google::protobuf::FieldDescriptor;
  const google::protobuf::Descriptor& type = *message->GetDescriptor();
  const google::protobuf::Reflection& r = *message->GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    for (int k = 0; field->is_repeated() && k < 2; ++k) {
      switch (field->cpp_type()) {
        case Descriptor::CPPTYPE_MESSAGE:
          Grow(r.AddMessage(message, field));
          break;
        case Descriptor::CPPTYPE_DOUBLE:
          r.AddDouble(message, field, 0);
          break;
        case Descriptor::CPPTYPE_INT64:
          r.AddInt64(message, field, 0);
          break;
        case Descriptor::CPPTYPE_STRING:
          r.AddString(message, field, "");
          break;
        default:
          GOOGLE_LOG(FATAL) << field->full_name();
      }
    }
    if (!field->is_repeated() && field->message_type() != nullptr) {
      Grow(r.MutableMessage(message, field));
    }
  }
}

// Makes every field present and every value another: `first` and what follows.
inline void Fill(google::protobuf::Message* message, int64_t first = 1) {
  Grow(message);
  ForEachLeaf(message, [&first](const Leaf& leaf) { leaf.Set(first++); });
}

}  // namespace tokensim::cli
