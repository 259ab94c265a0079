// The tables of policies in docs/ are those of the registries.
//
// A page has them between two comments, <!-- local schedulers --> and <!-- end -->. A run with
// TOKENSIM_UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/compute/backend_registry.h"
#include "engine/io/trace/trace_format.h"
#include "engine/network/sharing_registry.h"
#include "engine/policy/evict/registry.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "engine/policy/victim/registry.h"
#include "engine/workload/arrival_registry.h"
#include "engine/workload/length_registry.h"

namespace tokensim {
namespace {

std::string Cell(const PolicyInfo& policy) {
  std::string text;
  for (const Parameter& p : policy.parameters) {
    if (!text.empty()) text += "<br>";
    text += "`" + std::string(p.name) + "`: " + std::string(p.description) + "; " + RangeText(p);
    if (!p.unit.empty()) text += " " + std::string(p.unit);
    text += p.required ? ", required" : ", default " + DefaultText(p);
  }
  return text;
}

std::string Table(const std::vector<const PolicyInfo*>& policies) {
  std::string text = "| name | what it does | parameters |\n|---|---|---|\n";
  for (const PolicyInfo* policy : policies) {
    text += "| `" + std::string(policy->name) + "` | " + std::string(policy->description) + " | " +
            Cell(*policy) + " |\n";
  }
  return text;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What the page has between the comments of that kind; writes it if it is to be updated.
void CheckTable(const std::string& page, const std::string& kind,
                const std::vector<const PolicyInfo*>& policies) {
  const std::string path = std::string(TOKENSIM_SOURCE_DIR) + "/docs/" + page;
  std::string text = ReadAll(path);
  const std::string begin = "<!-- " + kind + (kind.ends_with("s") ? "es" : "s") + " -->\n";
  const size_t from = text.find(begin);
  ASSERT_NE(from, std::string::npos) << page << " has no " << begin;
  const size_t first = from + begin.size();
  const size_t last = text.find("<!-- end -->", first);
  ASSERT_NE(last, std::string::npos) << page << ": no <!-- end --> after " << begin;
  const std::string table = Table(policies);
  if (std::getenv("TOKENSIM_UPDATE_GOLDEN") != nullptr) {
    text.replace(first, last - first, table);
    std::ofstream(path) << text;
    return;
  }
  EXPECT_EQ(text.substr(first, last - first), table)
      << page << " is not what the registry says; TOKENSIM_UPDATE_GOLDEN=1 writes it anew";
}

template <typename Factory>
void CheckRegistry(const std::string& page, const PolicyRegistry<Factory>& registry) {
  CheckTable(page, std::string(registry.kind()), registry.infos());
}

TEST(PolicyDocsTest, Tables) {
  CheckRegistry("schedulers.md", LocalSchedulers());
  CheckRegistry("schedulers.md", QueueOrders());
  CheckRegistry("schedulers.md", Victims());
  CheckRegistry("routing.md", GlobalSchedulers());
  CheckRegistry("memory.md", Evictions());
  CheckRegistry("network.md", SharingRules());
  CheckRegistry("compute.md", Backends());
  CheckRegistry("workloads.md", ArrivalProcesses());
  CheckRegistry("workloads.md", LengthSources());
  CheckRegistry("workloads.md", LengthDistributions());
}

// What their rows look like is written by hand.
TEST(PolicyDocsTest, EveryTraceFormatHasARow) {
  const std::string text = ReadAll(std::string(TOKENSIM_SOURCE_DIR) + "/docs/workloads.md");
  for (const TraceFormat& format : TraceFormats()) {
    const std::string row = "\n| `" + std::string(format.name) + "` | ";
    EXPECT_NE(text.find(row), std::string::npos) << "docs/workloads.md has no row " << format.name;
  }
}

}  // namespace
}  // namespace tokensim
