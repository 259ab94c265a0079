#include "clients/cli/sparkline.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace tokensim::cli {

namespace {

const char* const kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
const char* const kPlain[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};

std::vector<double> Columns(const std::vector<double>& values, size_t width) {
  if (values.size() <= width) return values;
  std::vector<double> columns(width, 0);
  for (size_t i = 0; i < width; ++i) {
    const size_t first = i * values.size() / width;
    const size_t last = (i + 1) * values.size() / width;
    for (size_t j = first; j < last; ++j) columns[i] += values[j];
    columns[i] /= static_cast<double>(last - first);
  }
  return columns;
}

}  // namespace

std::string Sparkline(const std::vector<double>& values, size_t width, double top, bool utf8) {
  const std::vector<double> columns = Columns(values, width);
  if (columns.empty()) return "";
  if (top <= 0) top = *std::max_element(columns.begin(), columns.end());
  std::string out;
  for (const double value : columns) {
    const double level = top > 0 ? std::ceil(value / top * 8 - 1e-9) : 0;
    const auto index = static_cast<size_t>(std::clamp(level, 0.0, 8.0));
    out += utf8 ? kBlocks[index] : kPlain[index];
  }
  return out;
}

}  // namespace tokensim::cli
