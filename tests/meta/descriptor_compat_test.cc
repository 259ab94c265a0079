// The schema of this build against the committed one, proto/tokensim_v1.descriptor.pb.
#include "tests/meta/descriptor_compat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "google/protobuf/text_format.h"

namespace tokensim {
namespace {

using google::protobuf::FileDescriptorSet;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

FileDescriptorSet Load(const char* path) {
  FileDescriptorSet set;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good() && set.ParseFromIstream(&file)) << path;
  return set;
}

TEST(SchemaTest, NothingOfTheCommittedSchemaIsBroken) {
  EXPECT_THAT(BreakingChanges(Load(TOKENSIM_COMMITTED_SCHEMA), Load(TOKENSIM_CURRENT_SCHEMA)),
              IsEmpty());
}

// What is added is protected from then on.
TEST(SchemaTest, TheCommittedSchemaIsUpToDate) {
  EXPECT_THAT(BreakingChanges(Load(TOKENSIM_CURRENT_SCHEMA), Load(TOKENSIM_COMMITTED_SCHEMA)),
              IsEmpty())
      << "The schema has grown. Run tests/meta/update_descriptor.sh and commit the result.";
}

constexpr char kSchema[] = R"pb(
  file {
    package: "p"
    message_type {
      name: "M"
      field { name: "a" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
      field { name: "b" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
      oneof_decl { name: "kind" }
      nested_type { name: "N" }
    }
    enum_type {
      name: "E"
      value { name: "ZERO" number: 0 }
      value { name: "ONE" number: 1 }
    }
    service {
      name: "S"
      method { name: "Get" input_type: ".p.M" output_type: ".p.M" }
    }
  })pb";

class BreakingChangesTest : public ::testing::Test {
 protected:
  BreakingChangesTest() {
    google::protobuf::TextFormat::ParseFromString(kSchema, &before_);
    after_ = before_;
  }
  google::protobuf::DescriptorProto* message() {
    return after_.mutable_file(0)->mutable_message_type(0);
  }
  google::protobuf::EnumDescriptorProto* enum_type() {
    return after_.mutable_file(0)->mutable_enum_type(0);
  }
  [[nodiscard]] std::vector<std::string> Changes() const {
    return BreakingChanges(before_, after_);
  }

  FileDescriptorSet before_;
  FileDescriptorSet after_;
};

TEST_F(BreakingChangesTest, AdditionsAreNone) {
  auto* field = message()->add_field();
  field->set_name("c");
  field->set_number(3);
  after_.mutable_file(0)->add_message_type()->set_name("X");
  enum_type()->add_value()->set_number(2);
  EXPECT_THAT(Changes(), IsEmpty());
}

TEST_F(BreakingChangesTest, RemovedFieldsMustBeReserved) {
  message()->mutable_field()->DeleteSubrange(0, 1);
  EXPECT_THAT(Changes(), ElementsAre("p.M.a: gone, and its number and name are not reserved"));
  auto* range = message()->add_reserved_range();
  range->set_start(1);
  range->set_end(2);
  EXPECT_THAT(Changes(), ElementsAre("p.M.a: gone, and its number and name are not reserved"));
  message()->add_reserved_name("a");
  EXPECT_THAT(Changes(), IsEmpty());
}

TEST_F(BreakingChangesTest, FieldsKeepTypeNameNumberPresenceAndOneof) {
  auto* field = message()->mutable_field(0);
  field->set_type(google::protobuf::FieldDescriptorProto::TYPE_INT64);
  EXPECT_THAT(Changes(), ElementsAre("p.M.a: was LABEL_OPTIONAL TYPE_INT32  a, is LABEL_OPTIONAL "
                                     "TYPE_INT64  a"));
  *field = before_.file(0).message_type(0).field(0);
  field->set_name("z");
  EXPECT_EQ(Changes().size(), 1);
  *field = before_.file(0).message_type(0).field(0);
  field->set_number(9);
  EXPECT_EQ(Changes().size(), 1);
  *field = before_.file(0).message_type(0).field(0);
  field->set_proto3_optional(true);
  EXPECT_EQ(Changes().size(), 1);
  *field = before_.file(0).message_type(0).field(0);
  field->set_oneof_index(0);
  EXPECT_EQ(Changes().size(), 1);
}

TEST_F(BreakingChangesTest, MessagesEnumsAndMethodsStay) {
  message()->clear_nested_type();
  enum_type()->mutable_value(1)->set_name("UNE");
  after_.mutable_file(0)->mutable_service(0)->mutable_method(0)->set_server_streaming(true);
  EXPECT_THAT(Changes(), ElementsAre("p.M.N: gone", "p.E.ONE: its number is now UNE",
                                     "p.S.Get: was .p.M -> .p.M, is .p.M -> stream .p.M"));
  enum_type()->mutable_value()->DeleteSubrange(1, 1);
  after_.mutable_file(0)->clear_service();
  EXPECT_THAT(Changes(),
              ElementsAre("p.M.N: gone", "p.E.ONE: gone, and its number and name are not reserved",
                          "p.S: gone"));
}

}  // namespace
}  // namespace tokensim
