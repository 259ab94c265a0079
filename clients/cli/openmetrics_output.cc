#include "clients/cli/openmetrics_output.h"

#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/metrics.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

std::string LabelValue(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// Samples of one name stand together.
class Families {
 public:
  void Add(const std::string& name, const std::string& sample) {
    const auto [found, added] = samples_.try_emplace(name);
    if (added) order_.push_back(name);
    found->second.push_back(sample);
  }

  void Write(std::ostream& out) const {
    for (const std::string& name : order_) {
      out << "# TYPE " << name << " gauge\n";
      if (name.ends_with("_seconds")) out << "# UNIT " << name << " seconds\n";
      out << "# HELP " << name << " Of a simulated run.\n";
      for (const std::string& sample : samples_.at(name)) out << sample << '\n';
    }
    out << "# EOF\n";
  }

 private:
  std::map<std::string, std::vector<std::string>> samples_;
  std::vector<std::string> order_;
};

// What a metric is called and whose it is. `class.chat.ttft_seconds` is ttft_seconds of class chat;
// the name of a class may have dots.
std::pair<std::string, std::string> NameAndClass(const std::string& metric) {
  constexpr std::string_view kClass = "class.";
  if (!metric.starts_with(kClass)) return {metric, ""};
  const size_t dot = metric.rfind('.');
  return {metric.substr(dot + 1), metric.substr(kClass.size(), dot - kClass.size())};
}

}  // namespace

void WriteOpenMetrics(const v1::Report& report, std::ostream& out) {
  const std::string spec = "spec=\"" + LabelValue(report.spec_name()) + '"';
  Families families;
  for (const Metric& metric : ListMetrics(report)) {
    if (!metric.value) continue;
    auto [name, client_class] = NameAndClass(metric.metric);
    for (char& c : name) c = c == '.' ? '_' : c;
    name = "tokensim_" + name;
    std::string labels = spec;
    if (!client_class.empty()) labels += ",class=\"" + LabelValue(client_class) + '"';
    if (!metric.statistic.empty()) labels += ",statistic=\"" + metric.statistic + '"';
    families.Add(name, name + '{' + labels + "} " + FormatExact(*metric.value));
  }
  families.Write(out);
}

}  // namespace tokensim::cli
