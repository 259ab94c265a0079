#include "engine/io/yaml/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <map>
#include <stdexcept>
#include <streambuf>

#include "absl/strings/str_cat.h"

namespace tokensim {
namespace {

// Thrown by TreeBuilder through yaml-cpp; caught in ParseYamlTree.
class TreeError : public std::runtime_error {
 public:
  TreeError(const std::string& message, int line) : std::runtime_error(message), line_(line) {}
  [[nodiscard]] int line() const { return line_; }

 private:
  int line_;
};

// Length of the UTF-8 character that text begins with; 0: none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlTree* tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw TreeError("a second document; one is allowed", mark.line + 1);
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(YamlNode::Kind::kNull, mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) throw TreeError("alias of nothing", mark.line + 1);
    for (const uint32_t open : open_) {
      if (open == it->second) throw TreeError("alias of a node it is part of", mark.line + 1);
    }
    tree_->nodes[Add(YamlNode::Kind::kAlias, mark, 0)].target = it->second;
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckTag(tag, mark);
    // yaml-cpp 0.7 turns the escapes \_ and \N into single bytes.
    if (!IsUtf8(value)) throw TreeError("an escape that is not UTF-8", mark.line + 1);
    tree_->nodes[Add(YamlNode::Kind::kScalar, mark, anchor)].scalar = value;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    CheckTag(tag, mark);
    Open(Add(YamlNode::Kind::kSequence, mark, anchor), mark);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    CheckTag(tag, mark);
    Open(Add(YamlNode::Kind::kMap, mark, anchor), mark);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  // "?": none, "!": quoted.
  static void CheckTag(const std::string& tag, const YAML::Mark& mark) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw TreeError("tags (!...) are not used here", mark.line + 1);
    }
  }
  uint32_t Add(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (tree_->nodes.size() >= kMaxYamlNodes) {
      throw TreeError(absl::StrCat("more than ", kMaxYamlNodes, " values"), mark.line + 1);
    }
    const auto index = static_cast<uint32_t>(tree_->nodes.size());
    YamlNode& node = tree_->nodes.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    if (anchor != 0) anchors_[anchor] = index;
    if (!open_.empty()) tree_->nodes[open_.back()].children.push_back(index);
    return index;
  }
  void Open(uint32_t index, const YAML::Mark& mark) {
    open_.push_back(index);
    if (open_.size() > kMaxYamlDepth) {
      throw TreeError(absl::StrCat("nested deeper than ", kMaxYamlDepth, " levels"), mark.line + 1);
    }
  }

  YamlTree* tree_;
  int documents_ = 0;
  std::vector<uint32_t> open_;
  std::map<YAML::anchor_t, uint32_t> anchors_;
};

// Reads from memory without copying.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // never written: only get areas are set
    setg(begin, begin, begin + text.size());
  }
};

absl::Status CheckText(std::string_view text, int* line) {
  *line = 0;
  if (text.size() > kMaxYamlBytes) {
    return absl::InvalidArgumentError(absl::StrCat("longer than ", kMaxYamlBytes >> 20,
                                                   " MiB; put measured requests in a trace"));
  }
  *line = 1;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return absl::InvalidArgumentError("not valid UTF-8");
    if (text.front() == '\0') return absl::InvalidArgumentError("NUL byte: not a text file");
    if (text.front() == '\n') ++*line;
    text.remove_prefix(length);
  }
  *line = 0;
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseYamlTree(std::string_view text, YamlTree* tree, int* line) {
  if (absl::Status status = CheckText(text, line); !status.ok()) return status;
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    TreeBuilder builder(tree);
    while (parser.HandleNextDocument(builder)) {
    }
    return absl::OkStatus();
  } catch (const TreeError& e) {
    *line = e.line();
    return absl::InvalidArgumentError(e.what());
  } catch (const YAML::Exception& e) {
    *line = e.mark.is_null() ? 0 : e.mark.line + 1;
    return absl::InvalidArgumentError(absl::StrCat("not valid YAML: ", e.msg));
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat("not valid YAML: ", e.what()));
  }
}

}  // namespace tokensim
