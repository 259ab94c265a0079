// A report whose fields all differ is read back through every export. A field of the schema that an
// export does not show makes these tests fail until it is shown, or named below as one that is not.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "clients/cli/json.h"
#include "clients/cli/message_walk.h"
#include "clients/cli/metrics.h"
#include "clients/cli/report_output.h"
#include "engine/io/report/encode.h"
#include "engine/report/export.h"

namespace tokensim::cli {
namespace {

v1::Report FullReport() {
  v1::Report report;
  Fill(&report, 1'000);
  // Names end up in the names of metrics.
  report.mutable_classes(0)->set_name("chat");
  report.mutable_classes(1)->set_name("batch");
  return report;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  if (!text.empty() && text.back() == separator) parts.emplace_back();
  return parts;
}

bool StartsWithAny(const std::string& path, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    if (path == prefix || path.starts_with(prefix + '.')) return true;
  }
  return false;
}

// Each exception must be there, so that none outlives its field.
void ExpectAllExist(const std::vector<std::string>& prefixes, v1::Report report) {
  for (const std::string& prefix : prefixes) {
    bool found = false;
    ForEachLeaf(&report,
                [&](const Leaf& leaf) { found = found || StartsWithAny(leaf.pattern, {prefix}); });
    EXPECT_TRUE(found) << prefix << " is not in the report: it needs no exception";
  }
}

TEST(Exports, TheWalkMeetsEveryFieldOnceWithAValueOfItsOwn) {
  v1::Report report;
  Fill(&report);
  std::set<double> values;
  std::set<std::string> paths;
  size_t numbers = 0;
  ForEachLeaf(&report, [&](const Leaf& leaf) {
    EXPECT_TRUE(paths.insert(leaf.path).second) << leaf.path;
    if (!leaf.is_number()) return;
    ++numbers;
    EXPECT_TRUE(values.insert(leaf.number()).second) << leaf.path;
    EXPECT_NE(leaf.number(), 0) << leaf.path;
  });
  EXPECT_GT(numbers, 250u);
  EXPECT_TRUE(paths.contains("workers[1].timeline.host_bytes[1]"));
  EXPECT_TRUE(paths.contains("transfers.kv_transfer_seconds.p99"));
}

TEST(Exports, JsonHasEveryField) {
  const v1::Report report = FullReport();
  for (const JsonStyle style : {JsonStyle::kDocument, JsonStyle::kLine}) {
    std::string text;
    ToJson(report, style, &text);
    v1::Report back;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &back).ok());
    EXPECT_EQ(back.SerializeAsString(), report.SerializeAsString());
  }
}

// The name of a field among the metrics: as in the schema, but for the two that are shorter.
std::string MetricName(const Leaf& leaf) {
  std::string name = leaf.path;
  constexpr std::string_view kKvTransfer = "transfers.kv_transfer_seconds.";
  if (name.starts_with(kKvTransfer)) return name.substr(std::string_view("transfers.").size());
  for (const auto& [element, client] :
       {std::pair<std::string, std::string>{"classes[0].", "chat"}, {"classes[1].", "batch"}}) {
    if (!name.starts_with(element)) continue;
    std::string rest = name.substr(element.size());
    if (rest == "finished" || rest == "rejected") rest = "requests." + rest;
    return "class." + client + '.' + rest;
  }
  return name;
}

// What is no figure of the run, is a list, or tells of the machine. JSON has it.
const std::vector<std::string> kNoMetrics = {
    "spec_name",       "seed",    "engine_version", "end_reason",      "notes",
    "classes.name",    "workers", "execution",      "transfers.links", "cache.pool_bytes",
    "classes.priority"};

TEST(Exports, CsvAndMetricsHaveEveryFigure) {
  v1::Report report = FullReport();
  std::ostringstream csv;
  WriteReportCsv(report, csv);
  std::map<std::string, double> rows;
  for (const std::string& line : Split(csv.str(), '\n')) {
    if (line.empty()) continue;  // after the last
    const std::vector<std::string> cells = Split(line, ',');
    ASSERT_EQ(cells.size(), 3u) << line;
    if (cells[0] == "metric") continue;
    const std::string name = cells[1].empty() ? cells[0] : cells[0] + '.' + cells[1];
    EXPECT_TRUE(rows.emplace(name, std::stod(cells[2])).second) << name;
  }
  const std::vector<Metric> metrics = ListMetrics(report);
  std::set<std::string> expected = {"requests.rejected"};  // a sum
  const v1::RequestCounts& counts = report.requests();
  EXPECT_EQ(rows["requests.rejected"], counts.rejected_max_model_len() +
                                           counts.rejected_kv_capacity() +
                                           counts.rejected_no_worker());
  ForEachLeaf(&report, [&](const Leaf& leaf) {
    if (StartsWithAny(leaf.pattern, kNoMetrics)) return;
    ASSERT_TRUE(leaf.is_number()) << leaf.path << " is no number: it is shown nowhere but in JSON";
    const std::string name = MetricName(leaf);
    expected.insert(name);
    ASSERT_TRUE(rows.contains(name)) << leaf.path << " is in no row of the CSV";
    EXPECT_EQ(rows.at(name), leaf.number()) << name;
    const Metric* metric = FindMetric(metrics, name);
    ASSERT_NE(metric, nullptr) << name;
    EXPECT_EQ(metric->value, leaf.number()) << name;
  });
  for (const auto& [name, value] : rows) EXPECT_TRUE(expected.contains(name)) << name;
  ExpectAllExist(kNoMetrics, report);
}

// Figures that the table leaves out: it is for people. JSON and CSV have them, those of workers
// JSON alone.
const std::vector<std::string> kNotInTheTable = {
    "execution.events", "execution.speedup", "mean_homeless",
    // Of classes: two percentiles, and how many requests met the SLO.
    "classes.ttft_seconds.mean", "classes.ttft_seconds.p90", "classes.ttft_seconds.p95",
    "classes.ttft_seconds.max", "classes.tpot_seconds.mean", "classes.tpot_seconds.p90",
    "classes.tpot_seconds.p95", "classes.tpot_seconds.max", "classes.e2e_seconds.mean",
    "classes.e2e_seconds.p50", "classes.e2e_seconds.p90", "classes.e2e_seconds.p95",
    "classes.e2e_seconds.max", "classes.slo.met", "classes.slo.met_ttft", "classes.slo.met_tpot",
    "classes.slo.met_max_itl", "classes.slo.met_e2e", "classes.slo.goodput_requests_per_second",
    "classes.slo.goodput_output_tokens_per_second",
    // Of transfers: mean and p99.
    "transfers.kv_transfer_seconds.p50", "transfers.kv_transfer_seconds.p90",
    "transfers.kv_transfer_seconds.p95", "transfers.kv_transfer_seconds.max",
    // Of workers: shares rather than sums.
    "workers.worker", "workers.block_size", "workers.busy_seconds", "workers.prefill_tokens",
    "workers.decode_tokens", "workers.kv_bytes_per_block", "workers.host_bytes_total",
    "workers.swapped_in_bytes", "workers.timeline.busy",
    // Of requests that are not running: in the timelines drawn below, or in JSON.
    "workers.mean_waiting", "workers.mean_loading"};

// No distribution in the table shows these three.
bool IsHiddenStatistic(const Leaf& leaf) {
  if (leaf.field->containing_type() != v1::Distribution::descriptor()) return false;
  const std::string& name = leaf.field->name();
  return name == "count" || name == "min" || name == "stddev";
}

TEST(Exports, TheTableChangesWithEveryFieldItShows) {
  v1::Report report = FullReport();
  const auto table = [&report] {
    std::ostringstream out;
    WriteReportTable(report, {.color = false, .utf8 = true}, out);
    return out.str();
  };
  const std::string before = table();
  std::set<std::string> shown;
  std::set<std::string> not_shown;
  ForEachLeaf(&report, [&](const Leaf& leaf) {
    const std::unique_ptr<google::protobuf::Message> saved(leaf.message->New());
    saved->CopyFrom(*leaf.message);
    bool changes = false;
    for (const int64_t value : {7'654'321, 7'654'322, 7'654'323}) {  // of a reason, every one
      leaf.Set(value);
      changes = changes || table() != before;
    }
    if (changes) {
      shown.insert(leaf.pattern);
    } else if (!IsHiddenStatistic(leaf)) {
      not_shown.insert(leaf.pattern);
    }
    leaf.message->GetReflection()->Swap(leaf.message, saved.get());
  });
  ASSERT_EQ(table(), before);
  for (const std::string& pattern : not_shown) {
    EXPECT_TRUE(shown.contains(pattern) || StartsWithAny(pattern, kNotInTheTable))
        << pattern << " is not in the table";
  }
  for (const std::string& pattern : shown) {
    EXPECT_FALSE(StartsWithAny(pattern, kNotInTheTable)) << pattern << " is shown";
  }
  ExpectAllExist(kNotInTheTable, report);
}

v1::RequestRecord FullRecord() {
  v1::RequestRecord record;
  Fill(&record, 2'000'000'123);
  record.set_client_class(1);
  return record;
}

TEST(Exports, RecordsOfEventsBecomeRecordsAndBack) {
  v1::RequestRecord record = FullRecord();
  v1::RequestRecord back;
  ToProto(FromProto(record), &back);
  EXPECT_EQ(back.SerializeAsString(), record.SerializeAsString());
}

// The column of a field: times are seconds.
std::string ColumnName(const Leaf& leaf) {
  const std::string& name = leaf.path;
  if (name == "client_class") return "class";
  return name.ends_with("_ns") ? name.substr(0, name.size() - 2) + 's' : name;
}

// The cells of the only row, by column; JSON's null is "".
std::map<std::string, std::string> CsvRow(const RequestRecord& record) {
  const std::vector<std::string> classes = {"chat", "batch"};
  std::ostringstream out;
  WriteRequestsCsv(std::vector<RequestRecord>{record}, classes, out);
  const std::vector<std::string> lines = Split(out.str(), '\n');
  const std::vector<std::string> names = Split(lines.at(0), ',');
  const std::vector<std::string> cells = Split(lines.at(1), ',');
  EXPECT_EQ(names.size(), cells.size());
  std::map<std::string, std::string> row;
  for (size_t i = 0; i < std::min(names.size(), cells.size()); ++i) row[names[i]] = cells[i];
  return row;
}

std::map<std::string, std::string> JsonRow(const RequestRecord& record) {
  const std::vector<std::string> classes = {"chat", "batch"};
  std::ostringstream out;
  WriteRequestsJsonl(std::vector<RequestRecord>{record}, classes, out);
  std::map<std::string, std::string> row;
  // Numbers keep their digits: they are compared with those of the CSV.
  const std::string text = out.str();
  const nlohmann::json json = nlohmann::json::parse(text);
  for (const auto& [key, value] : json.items()) {
    if (value.is_string()) {
      row[key] = value.get<std::string>();
    } else if (!value.is_null()) {
      const size_t begin = text.find('"' + key + "\":") + key.size() + 3;
      row[key] = text.substr(begin, text.find_first_of(",}", begin) - begin);
    } else {
      row[key] = "";
    }
  }
  return row;
}

TEST(Exports, RowsOfRequestsHaveEveryField) {
  v1::RequestRecord proto = FullRecord();
  proto.set_reject_reason(v1::REJECT_REASON_KV_CAPACITY);
  const std::map<std::string, std::string> csv = CsvRow(FromProto(proto));
  std::set<std::string> expected = {"ttft_s", "tpot_s", "e2e_s"};
  ForEachLeaf(&proto, [&](const Leaf& leaf) {
    const std::string column = ColumnName(leaf);
    expected.insert(column);
    ASSERT_TRUE(csv.contains(column)) << leaf.path << " has no column";
    const std::string& cell = csv.at(column);
    if (column == "reject_reason" || column == "class") {
      EXPECT_EQ(cell, column == "class" ? "batch" : "kv_capacity");
      return;
    }
    if (!leaf.path.ends_with("_ns")) {
      EXPECT_EQ(cell, std::to_string(static_cast<int64_t>(leaf.number())));
      return;
    }
    std::string digits = cell;
    ASSERT_EQ(digits.size(), digits.find('.') + 10) << cell;
    digits.erase(digits.find('.'), 1);
    EXPECT_EQ(std::stoll(digits), static_cast<int64_t>(leaf.number())) << column;
  });
  for (const auto& [column, cell] : csv) EXPECT_TRUE(expected.contains(column)) << column;
  EXPECT_EQ(JsonRow(FromProto(proto)), csv);
}

TEST(Exports, RowsOfRequestsHaveTheDerivedTimes) {
  v1::RequestRecord proto = FullRecord();
  proto.clear_reject_reason();
  proto.set_output_tokens(3);
  proto.set_arrival_ns(1'000);
  proto.set_first_token_ns(1'500);
  proto.set_finish_ns(7'500);
  const std::map<std::string, std::string> csv = CsvRow(FromProto(proto));
  EXPECT_EQ(csv.at("ttft_s"), "0.000000500");
  EXPECT_EQ(csv.at("tpot_s"), "0.000003000");
  EXPECT_EQ(csv.at("e2e_s"), "0.000006500");
  EXPECT_EQ(JsonRow(FromProto(proto)), csv);
}

}  // namespace
}  // namespace tokensim::cli
