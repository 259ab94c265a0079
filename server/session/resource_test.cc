#include "server/session/resource.h"

#include "gtest/gtest.h"

namespace tokensim {
namespace {

SimulationRecord RecordWithTrace(int rows) {
  auto spec = std::make_shared<v1::Spec>();
  spec->set_name("traced");
  spec->set_seed(0);
  spec->add_workers()->set_name("gpu");
  spec->mutable_workload()->set_num_requests(5);
  spec->mutable_workload()->mutable_arrival()->mutable_trace();
  v1::Trace* trace = spec->mutable_workload()->mutable_trace();
  trace->set_format("csv");
  for (int i = 0; i < rows; ++i) {
    trace->mutable_rows()->add_arrival_delta_ns(1'000'000 + i);
    trace->mutable_rows()->add_input_tokens(10);
    trace->mutable_rows()->add_output_tokens(20);
  }
  auto report = std::make_shared<v1::Report>();
  report->set_spec_name("traced");
  report->add_workers()->mutable_timeline()->add_running(1);
  SimulationRecord record;
  record.name = {"default", "a"};
  record.spec_name = "traced";
  record.spec = spec;
  record.report = report;
  record.state = v1::Simulation::SUCCEEDED;
  return record;
}

TEST(Resource, BasicHasNeitherSpecNorReportButTheName) {
  const v1::Simulation shown = ToResource(RecordWithTrace(5), nullptr, ResourceView::kBasic);
  EXPECT_FALSE(shown.has_spec());
  EXPECT_FALSE(shown.has_report());
  EXPECT_EQ(shown.spec_name(), "traced");
  EXPECT_EQ(shown.state(), v1::Simulation::SUCCEEDED);
}

TEST(Resource, AShortTraceIsShown) {
  const SimulationRecord record = RecordWithTrace(static_cast<int>(kMaxRowsShown));
  const v1::Simulation shown = ToResource(record, nullptr, ResourceView::kStandard);
  EXPECT_EQ(shown.spec().SerializeAsString(), record.spec->SerializeAsString());
  EXPECT_EQ(shown.omitted_trace_rows(), 0);
  EXPECT_EQ(shown.report().spec_name(), "traced");
  EXPECT_FALSE(shown.report().workers(0).has_timeline());
}

TEST(Resource, ALongTraceIsLeftOut) {
  const SimulationRecord record = RecordWithTrace(static_cast<int>(kMaxRowsShown) + 1);
  const v1::Simulation shown = ToResource(record, nullptr, ResourceView::kStandard);
  EXPECT_EQ(shown.omitted_trace_rows(), kMaxRowsShown + 1);
  v1::Spec expected = *record.spec;
  expected.mutable_workload()->mutable_trace()->clear_rows();
  EXPECT_EQ(shown.spec().SerializeAsString(), expected.SerializeAsString());
  const v1::Simulation full = ToResource(record, nullptr, ResourceView::kFull);
  EXPECT_EQ(full.spec().SerializeAsString(), record.spec->SerializeAsString());
  EXPECT_EQ(full.omitted_trace_rows(), 0);
}

}  // namespace
}  // namespace tokensim
