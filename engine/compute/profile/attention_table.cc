#include "engine/compute/profile/attention_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "engine/base/invariant.h"
#include "engine/compute/profile/axis.h"

namespace tokensim {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

// Fills the gaps of a row of cells linearly from the measured ones on both sides. Before the first
// it is taken for all, beyond the last the last piece goes on: large batches at long contexts are
// often left out of measurements, and attention is linear there. False when none was measured.
bool FillRow(const std::vector<double>& axis, float* cells, size_t stride) {
  std::vector<size_t> known;
  for (size_t i = 0; i < axis.size(); ++i) {
    if (!std::isnan(cells[i * stride])) known.push_back(i);
  }
  if (known.empty()) return false;
  for (size_t i = 0; i < axis.size(); ++i) {
    float& cell = cells[i * stride];
    if (!std::isnan(cell)) continue;
    const auto above = std::lower_bound(known.begin(), known.end(), i);
    if (above == known.begin()) {
      cell = cells[known.front() * stride];
    } else if (known.size() == 1) {
      cell = cells[known.back() * stride];
    } else {
      const bool beyond = above == known.end();
      const size_t a = beyond ? *(above - 2) : *(above - 1);
      const size_t b = beyond ? *(above - 1) : *above;
      const double f = (axis[i] - axis[a]) / (axis[b] - axis[a]);
      const double value = (1 - f) * cells[a * stride] + f * cells[b * stride];
      cell = static_cast<float>(std::max<double>(value, beyond ? cells[b * stride] : value));
    }
  }
  return true;
}

std::vector<double> ToAxis(const std::set<int32_t>& values) {
  return {values.begin(), values.end()};
}

size_t IndexOf(const std::vector<double>& axis, double value) {
  return static_cast<size_t>(std::lower_bound(axis.begin(), axis.end(), value) - axis.begin());
}

double Clamped(const std::vector<double>& axis, double value) {
  return std::clamp(value, axis.front(), axis.back());
}

}  // namespace

struct AttentionTable::Rows {
  double chunk = 0;
  struct Row {
    int32_t history, decodes, context;
    float seconds;
  };
  std::vector<Row> rows;
};

AttentionTable::AttentionTable(const AttentionTimesTable& measured) {
  std::map<int32_t, Rows> by_chunk;
  for (size_t i = 0; i < measured.size(); ++i) {
    Rows& rows = by_chunk[measured.prefill_chunk[i]];
    rows.chunk = measured.prefill_chunk[i];
    rows.rows.push_back({measured.kv_prefill[i], measured.n_decode[i], measured.kv_decode[i],
                         measured.microseconds[i] * 1e-6F});
  }
  TOKENSIM_INVARIANT(by_chunk.size() > 1 && by_chunk.begin()->first == 0,
                     "an attention table without decodes or without chunks");
  for (const auto& [chunk, rows] : by_chunk) {
    if (chunk == 0) {
      decode_only_ = MakeSlab(rows);
    } else {
      slabs_.push_back(MakeSlab(rows));
      mixes_ = mixes_ || slabs_.back().decodes.back() > 0;
    }
  }
}

// A chunk alone takes what it takes whatever the context of the decodes that are not there; decodes
// without context add nothing to it.
AttentionTable::Slab AttentionTable::MakeSlab(const Rows& rows) {
  std::set<int32_t> history;
  std::set<int32_t> decodes;
  std::set<int32_t> context;
  for (const Rows::Row& row : rows.rows) {
    history.insert(row.history);
    decodes.insert(row.decodes);
    context.insert(row.context);
  }
  Slab slab{rows.chunk, ToAxis(history), ToAxis(decodes), ToAxis(context), {}};
  const size_t nd = slab.decodes.size();
  const size_t nc = slab.context.size();
  slab.seconds.assign(slab.history.size() * nd * nc, kMissing);
  for (const Rows::Row& row : rows.rows) {
    const size_t h = IndexOf(slab.history, row.history);
    const size_t d = IndexOf(slab.decodes, row.decodes);
    const size_t c = IndexOf(slab.context, row.context);
    slab.seconds[(h * nd + d) * nc + c] = row.seconds;
    if (row.decodes > 0) continue;
    for (size_t i = 0; i < nc; ++i) slab.seconds[(h * nd + d) * nc + i] = row.seconds;
    if (slab.context[0] > 0) continue;
    for (size_t i = 0; i < nd; ++i) slab.seconds[(h * nd + i) * nc] = row.seconds;
  }
  const auto cell = [&](size_t h, size_t d, size_t c) {
    return &slab.seconds[(h * nd + d) * nc + c];
  };
  for (size_t h = 0; h < slab.history.size(); ++h) {
    for (size_t d = 0; d < nd; ++d) FillRow(slab.context, cell(h, d, 0), 1);
  }
  for (size_t d = 0; d < nd; ++d) {
    for (size_t c = 0; c < nc; ++c) FillRow(slab.history, cell(0, d, c), nd * nc);
  }
  for (size_t h = 0; h < slab.history.size(); ++h) {
    for (size_t c = 0; c < nc; ++c) {
      TOKENSIM_INVARIANT(FillRow(slab.decodes, cell(h, 0, c), nc), "an empty attention table");
    }
  }
  return slab;
}

double AttentionTable::Slab::Seconds(const AttentionPoint& point) const {
  const AxisPosition h = Locate(history, point.history);
  const AxisPosition d = Locate(decodes, point.decodes);
  const AxisPosition c = Locate(context, point.context);
  const size_t nc = context.size();
  const auto along_context = [&](size_t ih, size_t id) {
    const float* cell = &seconds[(ih * decodes.size() + id) * nc + c.below];
    return c.fraction == 0 ? cell[0] : cell[0] + c.fraction * (cell[1] - cell[0]);
  };
  const auto along_decodes = [&](size_t ih) {
    const double low = along_context(ih, d.below);
    return d.fraction == 0 ? low : low + d.fraction * (along_context(ih, d.below + 1) - low);
  };
  const double low = along_decodes(h.below);
  return h.fraction == 0 ? low : low + h.fraction * (along_decodes(h.below + 1) - low);
}

size_t AttentionTable::SlabBelow(double chunk) const {
  const auto above =
      std::upper_bound(slabs_.begin(), slabs_.end(), chunk,
                       [](double value, const Slab& slab) { return value < slab.chunk; });
  return above == slabs_.begin() ? 0 : static_cast<size_t>(above - slabs_.begin()) - 1;
}

// Chunks below the smallest measured one take its time: a kernel with a chunk is another kernel
// than one with decodes only, there is nothing to interpolate between.
double AttentionTable::Seconds(const AttentionPoint& point) const {
  TOKENSIM_INVARIANT(std::isfinite(point.chunk), "a chunk that is no number");
  if (point.chunk <= 0) return decode_only_.Seconds(point);
  const size_t i = SlabBelow(point.chunk);
  const double low = slabs_[i].Seconds(point);
  if (i + 1 == slabs_.size() || point.chunk <= slabs_[i].chunk) return low;
  const double fraction = (point.chunk - slabs_[i].chunk) / (slabs_[i + 1].chunk - slabs_[i].chunk);
  return low + fraction * (slabs_[i + 1].Seconds(point) - low);
}

AttentionPoint AttentionTable::Clamp(AttentionPoint point) const {
  const auto clamp = [&](const Slab& slab) {
    point.history = Clamped(slab.history, point.history);
    point.decodes = Clamped(slab.decodes, point.decodes);
    point.context = Clamped(slab.context, point.context);
  };
  if (point.chunk <= 0) {
    clamp(decode_only_);
    return point;
  }
  point.chunk = std::clamp(point.chunk, slabs_.front().chunk, slabs_.back().chunk);
  const size_t i = SlabBelow(point.chunk);
  clamp(slabs_[i]);
  if (i + 1 < slabs_.size()) clamp(slabs_[i + 1]);
  return point;
}

}  // namespace tokensim
