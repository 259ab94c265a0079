#include "server/http/event_formats.h"

#include <optional>
#include <sstream>
#include <utility>

#include "engine/io/perfetto/trace_writer.h"
#include "engine/io/report/encode.h"
#include "engine/report/export.h"
#include "google/protobuf/util/json_util.h"

namespace tokensim::http {
namespace {

class FileFormat : public StreamFormat<v1::EventBatch> {
 public:
  FileFormat(const std::string& file_name, const char* type) {
    head_.headers = {{"Content-Type", type},
                     {"Cache-Control", "no-store"},
                     {"Content-Disposition", "attachment; filename=\"" + file_name + "\""}};
  }
  [[nodiscard]] Response Head() const final { return head_; }
  [[nodiscard]] bool begins_at_once() const final { return false; }
  std::optional<std::string> Last(const absl::Status& status) final {
    if (status.ok()) return "";
    return std::nullopt;
  }

 private:
  Response head_;
};

class EventLinesFormat final : public FileFormat {
 public:
  explicit EventLinesFormat(const std::string& file_name)
      : FileFormat(file_name, "application/jsonl") {
    options_.preserve_proto_field_names = true;
    options_.always_print_primitive_fields = true;
  }

  absl::Status Encode(const v1::EventBatch& batch, std::string* part) override {
    for (const v1::Event& event : batch.events()) {
      const auto status = google::protobuf::util::MessageToJsonString(event, part, options_);
      if (!status.ok()) return absl::InternalError("an event has no JSON form");
      *part += '\n';
    }
    return absl::OkStatus();
  }

 private:
  google::protobuf::util::JsonPrintOptions options_;
};

class RequestRowsFormat final : public FileFormat {
 public:
  RequestRowsFormat(const std::string& file_name, TableFormat format,
                    std::shared_ptr<const RunNames> names)
      : FileFormat(file_name,
                   format == TableFormat::kCsv ? "text/csv; charset=utf-8" : "application/jsonl"),
        format_(format),
        names_(std::move(names)) {}

  absl::Status Encode(const v1::EventBatch& batch, std::string* part) override {
    RequestTable records;
    for (const v1::Event& event : batch.events()) {
      if (event.has_request_finished()) {
        records.Add(FromProto(event.request_finished().record()));
      } else if (event.has_request_rejected()) {
        records.Add(FromProto(event.request_rejected().record()));
      }
    }
    std::ostringstream rows;
    if (format_ == TableFormat::kJsonLines) {
      WriteRequestsJsonl(records, names_->classes, rows);
      *part += rows.str();
      return absl::OkStatus();
    }
    WriteRequestsCsv(records, names_->classes, rows);
    const std::string text = rows.str();
    // The line with the names of the columns comes once.
    part->append(text, has_header_ ? text.find('\n') + 1 : 0);
    has_header_ = true;
    return absl::OkStatus();
  }

 private:
  const TableFormat format_;
  const std::shared_ptr<const RunNames> names_;
  bool has_header_ = false;
};

class PerfettoFormat final : public FileFormat {
 public:
  PerfettoFormat(const std::string& file_name, std::shared_ptr<const RunNames> names)
      : FileFormat(file_name, "application/octet-stream"), names_(std::move(names)) {}

  absl::Status Encode(const v1::EventBatch& batch, std::string* part) override {
    if (!trace_) trace_.emplace(names_->workers);
    for (const v1::Event& event : batch.events()) trace_->Add(event);
    *part += trace_->TakeBytes();
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<const RunNames> names_;
  std::optional<TraceWriter> trace_;
};

}  // namespace

EventFormat EventLines(const std::string& file_name) {
  return std::make_unique<EventLinesFormat>(file_name);
}

EventFormat RequestRows(const std::string& file_name, TableFormat format,
                        std::shared_ptr<const RunNames> names) {
  return std::make_unique<RequestRowsFormat>(file_name, format, std::move(names));
}

EventFormat PerfettoTrace(const std::string& file_name, std::shared_ptr<const RunNames> names) {
  return std::make_unique<PerfettoFormat>(file_name, std::move(names));
}

}  // namespace tokensim::http
