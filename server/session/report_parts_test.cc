#include "server/session/report_parts.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tokensim {
namespace {

// With `classes`, `links` and `workers`, each worker with a timeline of about `points` x 8 bytes.
v1::Report MakeReport(int classes, int links, int workers, int points) {
  v1::Report report;
  report.set_spec_name("parts");
  report.mutable_requests()->set_total(7);
  report.mutable_slo();  // present, although empty
  report.add_notes("one");
  report.mutable_execution()->set_events(11);
  for (int i = 0; i < classes; ++i) report.add_classes()->set_name("class" + std::to_string(i));
  if (links > 0) {
    report.mutable_transfers()->set_migrations(3);
    report.mutable_transfers()->mutable_kv_transfer_seconds()->set_p99(0.5);
  }
  for (int i = 0; i < links; ++i) {
    report.mutable_transfers()->add_links()->set_name("link" + std::to_string(i));
  }
  for (int i = 0; i < workers; ++i) {
    v1::WorkerReport* worker = report.add_workers();
    worker->set_worker(i);
    for (int p = 0; p < points; ++p) worker->mutable_timeline()->add_running(p);
  }
  return report;
}

std::vector<v1::Report> Parts(const v1::Report& report, size_t max_bytes) {
  std::vector<v1::Report> parts;
  int64_t position = 0;
  do {
    parts.push_back(PartOf(report, max_bytes, &position));
  } while (position != 0 && parts.size() < 10'000);
  return parts;
}

v1::Report Merge(const std::vector<v1::Report>& parts) {
  v1::Report whole;
  for (const v1::Report& part : parts) whole.MergeFrom(part);
  return whole;
}

TEST(ReportParts, MergeIntoTheReport) {
  const v1::Report reports[] = {
      v1::Report(),           MakeReport(0, 0, 0, 0), MakeReport(0, 0, 1, 1000),
      MakeReport(3, 0, 0, 0), MakeReport(0, 5, 0, 0), MakeReport(3, 5, 20, 10)};
  for (const v1::Report& report : reports) {
    for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{1000}, size_t{1} << 20}) {
      EXPECT_EQ(Merge(Parts(report, bytes)).SerializeAsString(), report.SerializeAsString())
          << bytes;
    }
  }
}

TEST(ReportParts, AreOfTheGivenSize) {
  const v1::Report report = MakeReport(3, 5, 100, 10);
  const std::vector<v1::Report> parts = Parts(report, 1000);
  EXPECT_GT(parts.size(), 5u);
  for (const v1::Report& part : parts) EXPECT_LE(part.ByteSizeLong(), 1000u);
  // As few as fit.
  EXPECT_LE(parts.size(), 2 * (report.ByteSizeLong() / 1000 + 1));
  EXPECT_EQ(Parts(report, 1 << 20).size(), 1u);
}

TEST(ReportParts, AnElementThatIsLargerIsAPartOfItsOwn) {
  const v1::Report report = MakeReport(0, 0, 3, 1000);
  const std::vector<v1::Report> parts = Parts(report, 1000);
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].workers_size(), 0);
  for (int i = 1; i < 4; ++i) EXPECT_EQ(parts[static_cast<size_t>(i)].workers_size(), 1);
}

TEST(ReportParts, CanBeAskedForInAnyOrder) {
  const v1::Report report = MakeReport(2, 2, 2, 2);
  ASSERT_EQ(PositionsOf(report), 7);
  for (int64_t start = 0; start < PositionsOf(report); ++start) {
    int64_t position = start;
    const v1::Report part = PartOf(report, 0, &position);
    EXPECT_EQ(position, start + 1 < PositionsOf(report) ? start + 1 : 0);
    EXPECT_EQ(part.classes_size() + part.transfers().links_size() + part.workers_size(),
              start == 0 ? 0 : 1);
  }
}

}  // namespace
}  // namespace tokensim
