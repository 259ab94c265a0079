#include "server/session/report_parts.h"

#include "server/base/copy_fields.h"

namespace tokensim {
namespace {

v1::Report Head(const v1::Report& report) {
  v1::Report head;
  CopyAllBut(report, {"classes", "transfers", "workers"}, &head);
  if (report.has_transfers()) {
    CopyAllBut(report.transfers(), {"links"}, head.mutable_transfers());
  }
  return head;
}

// Calls `visit` with the element at `position`, and with where it belongs in a part.
template <typename Visit>
void VisitElement(const v1::Report& report, int64_t position, v1::Report* part, Visit visit) {
  auto index = static_cast<int>(position - 1);
  const int classes = report.classes_size();
  const int links = report.transfers().links_size();
  if (index < classes) return visit(report.classes(index), [&] { return part->add_classes(); });
  index -= classes;
  if (index < links) {
    return visit(report.transfers().links(index),
                 [&] { return part->mutable_transfers()->add_links(); });
  }
  visit(report.workers(index - links), [&] { return part->add_workers(); });
}

}  // namespace

int64_t PositionsOf(const v1::Report& report) {
  return int64_t{1} + report.classes_size() + report.transfers().links_size() +
         report.workers_size();
}

v1::Report PartOf(const v1::Report& report, size_t max_bytes, int64_t* position) {
  constexpr size_t kFraming = 8;  // tag and length of an element
  const int64_t end = PositionsOf(report);
  v1::Report part;
  size_t bytes = 0;
  int64_t next = *position;
  if (next == 0) {
    part = Head(report);
    bytes = part.ByteSizeLong();
    ++next;
  }
  for (bool first = *position != 0; next < end; ++next, first = false) {
    bool fits = false;
    VisitElement(report, next, &part, [&](const auto& element, auto add) {
      bytes += element.ByteSizeLong() + kFraming;
      fits = first || bytes <= max_bytes;
      if (fits) *add() = element;
    });
    if (!fits) break;
  }
  *position = next < end ? next : 0;
  return part;
}

}  // namespace tokensim
