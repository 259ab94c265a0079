#include "server/base/copy_fields.h"

#include <algorithm>
#include <vector>

#include "google/protobuf/util/field_mask_util.h"

namespace tokensim {

void CopyAllBut(const google::protobuf::Message& from,
                std::initializer_list<std::string_view> left_out, google::protobuf::Message* to) {
  std::vector<const google::protobuf::FieldDescriptor*> present;
  from.GetReflection()->ListFields(from, &present);
  google::protobuf::FieldMask mask;
  for (const auto* field : present) {
    if (std::find(left_out.begin(), left_out.end(), field->name()) == left_out.end()) {
      mask.add_paths(field->name());
    }
  }
  google::protobuf::util::FieldMaskUtil::MergeMessageTo(from, mask, {}, to);
}

}  // namespace tokensim
