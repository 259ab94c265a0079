// `tokensim catalog`: what a spec can refer to by name.
#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "clients/cli/commands.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/talk.h"
#include "clients/cli/text_table.h"
#include "clients/cli/units.h"
#include "engine/base/nearest.h"
#include "engine/io/presets/catalog.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim catalog                       everything
  tokensim catalog models                one kind
  tokensim catalog models llama2-7b      one entry, as YAML that a spec can hold
  tokensim catalog --server 127.0.0.1:50051 hardware
Kinds: models, hardware, engines, lengths, links, calibrations, local_schedulers, global_schedulers,
  compute_backends, queue_orders, preemption_victims, evictions, sharing_rules,
  breakpoints, trace_formats, schedulers (local and global).)";

struct CatalogOptions {
  std::string kind;
  std::string name;
  Format format = Format::kTable;
  std::string server;  // empty: that of this binary
};

// One kind of entry: names, what a line says of each, and the message behind it.
struct Section {
  std::string kind;
  struct Entry {
    std::string name;
    std::vector<std::string> cells;  // the last is a text, those before it are figures
    const google::protobuf::Message* message;
  };
  std::vector<Entry> entries;
  std::vector<std::string> titles;  // of the cells; empty: there is only a text
};

using Cells = std::vector<std::string>;

Cells CellsOf(const v1::Model& model) {
  std::string text = model.name() + ", " + std::to_string(model.num_layers()) + " layers, hidden " +
                     FormatCount(model.hidden_size());
  if (model.has_moe()) {
    text += ", " + std::to_string(model.moe().num_experts()) + " experts (" +
            std::to_string(model.moe().experts_per_token()) + " per token)";
  }
  return {text};
}

// "-": the preset does not say.
std::string FigureOf(double value, double unit) {
  return value > 0 ? FormatNumber(value / unit) : "-";
}

Cells HardwareTitles() {
  return {"TFLOPS bf16", "fp8", "int8", "fp4", "memory", "GB/s", "link", "W", "$/h", "device"};
}

Cells CellsOf(const v1::Hardware& h) {
  constexpr double kTera = 1e12;
  constexpr double kGiga = 1e9;
  const double fp8 = h.has_peak_fp8_flops() ? h.peak_fp8_flops() : h.peak_8bit_flops();
  const double int8 = h.has_peak_int8_flops() ? h.peak_int8_flops() : h.peak_8bit_flops();
  return {FigureOf(h.peak_flops(), kTera),
          FigureOf(fp8, kTera),
          FigureOf(int8, kTera),
          FigureOf(h.peak_fp4_flops(), kTera),
          FormatBytes(h.memory_bytes()),
          FigureOf(h.memory_bandwidth_bytes_per_second(), kGiga),
          FigureOf(h.interconnect().bandwidth_bytes_per_second(), kGiga),
          FigureOf(h.watts(), 1),
          FigureOf(h.has_price() ? h.price() : h.prices().neocloud(), 1),
          h.name()};
}

// The limits of the largest devices.
Cells CellsOf(const v1::Engine& engine) {
  std::string text = engine.name();
  if (engine.batch_limits_size() > 0) {
    const v1::BatchLimits& limits = engine.batch_limits(0);
    text += ": " + engine.local_scheduler().policy() + ", up to " +
            FormatCount(limits.max_num_batched_tokens()) + " tokens and " +
            FormatCount(limits.max_num_seqs()) + " sequences, prefix caching " +
            (engine.memory().prefix_caching() ? "on" : "off");
  }
  return {text};
}

Cells CellsOf(const v1::Lengths& lengths) { return {lengths.description()}; }

template <typename Entries>
Section PresetSection(const std::string& kind, const Entries& entries, Cells titles = {}) {
  Section section{kind, {}, std::move(titles)};
  for (const auto& entry : entries) {
    section.entries.push_back({entry.preset(), CellsOf(entry), &entry});
  }
  return section;
}

Section PolicySection(const std::string& kind,
                      const google::protobuf::RepeatedPtrField<v1::PolicyEntry>& entries) {
  Section section{kind, {}, {}};
  for (const v1::PolicyEntry& entry : entries) {
    section.entries.push_back({entry.name(), {entry.description()}, &entry});
  }
  return section;
}

std::vector<Section> Sections(const v1::Catalog& catalog) {
  return {PresetSection("models", catalog.models()),
          PresetSection("hardware", catalog.hardware(), HardwareTitles()),
          PresetSection("engines", catalog.engines()),
          PresetSection("lengths", catalog.lengths()),
          PolicySection("arrivals", catalog.arrivals()),
          PolicySection("length_sources", catalog.length_sources()),
          PolicySection("length_distributions", catalog.length_distributions()),
          PolicySection("links", catalog.links()),
          PolicySection("calibrations", catalog.calibrations()),
          PolicySection("local_schedulers", catalog.local_schedulers()),
          PolicySection("global_schedulers", catalog.global_schedulers()),
          PolicySection("compute_backends", catalog.compute_backends()),
          PolicySection("queue_orders", catalog.queue_orders()),
          PolicySection("preemption_victims", catalog.preemption_victims()),
          PolicySection("evictions", catalog.evictions()),
          PolicySection("sharing_rules", catalog.sharing_rules()),
          PolicySection("breakpoints", catalog.breakpoints()),
          PolicySection("trace_formats", catalog.trace_formats())};
}

bool Selected(const Section& section, const std::string& kind) {
  return kind.empty() || section.kind == kind ||
         (kind == "schedulers" && section.kind.ends_with("_schedulers"));
}

void PrintSections(const std::vector<Section>& sections) {
  for (const Section& section : sections) {
    if (&section != &sections.front()) std::cout << '\n';
    std::cout << section.kind << ":\n";
    std::vector<Align> alignments = {Align::kLeft};
    if (!section.titles.empty()) alignments.resize(section.titles.size(), Align::kRight);
    alignments.push_back(Align::kLeft);
    TextTable table(std::move(alignments));
    const auto add_row = [&table](const std::string& name, Cells cells) {
      cells.insert(cells.begin(), "  " + name);
      table.AddRow(std::move(cells));
    };
    if (!section.titles.empty()) add_row("", section.titles);
    for (const Section::Entry& entry : section.entries) add_row(entry.name, entry.cells);
    table.Print(std::cout);
  }
}

// Long descriptions are for NAME; a list shows their first sentence.
void Shorten(Section* section) {
  constexpr size_t kLongest = 88;
  for (Section::Entry& entry : section->entries) {
    std::string& text = entry.cells.back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    text.resize(std::min(text.find(". "), text.size()));
    if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  }
}

ExitCode PrintEntry(const std::vector<Section>& sections, const CatalogOptions& options) {
  for (const Section& section : sections) {
    for (const Section::Entry& entry : section.entries) {
      if (entry.name != options.name) continue;
      if (options.format == Format::kJson) {
        PrintJson(*entry.message);
      } else {
        std::cout << ToYaml(*entry.message);
      }
      return ExitCode::kOk;
    }
  }
  std::vector<std::string> names;
  for (const Section& section : sections) {
    for (const Section::Entry& entry : section.entries) names.push_back(entry.name);
  }
  PrintError("no " + Quote(options.name) + " in " + options.kind + DidYouMean(options.name, names) +
             "; `tokensim catalog " + options.kind + "` lists what there is");
  return ExitCode::kUsage;
}

void PrintCsv(const std::vector<Section>& sections) {
  std::cout << "kind,name\n";
  for (const Section& section : sections) {
    for (const Section::Entry& entry : section.entries) {
      std::cout << section.kind << ',' << entry.name << '\n';
    }
  }
}

// The catalog as JSON, with only the kinds asked for.
void PrintSelectedJson(const v1::Catalog& catalog, const std::vector<Section>& selected) {
  v1::Catalog copy = catalog;
  for (const Section& section : Sections(catalog)) {
    const bool keep = std::any_of(selected.begin(), selected.end(),
                                  [&section](const Section& s) { return s.kind == section.kind; });
    const auto* field = v1::Catalog::descriptor()->FindFieldByName(section.kind);
    if (!keep && field != nullptr) copy.GetReflection()->ClearField(&copy, field);
  }
  PrintJson(copy);
}

ExitCode RunCatalog(const CatalogOptions& options) {
  v1::Catalog catalog;
  if (options.server.empty()) {
    catalog = BuildCatalog();
  } else {
    client::Client client(ToClientOptions({.server = options.server}, /*quiet=*/false));
    const client::Result<v1::Catalog> result = client.GetCatalog();
    if (!result.ok()) return PrintServerError(result.error(), options.server);
    catalog = result.value();
  }
  std::vector<Section> selected;
  for (Section& section : Sections(catalog)) {
    if (Selected(section, options.kind)) selected.push_back(std::move(section));
  }
  if (selected.empty()) {
    std::vector<std::string> kinds = {"schedulers"};
    for (const Section& section : Sections(catalog)) kinds.push_back(section.kind);
    PrintError("unknown kind " + Quote(options.kind) + DidYouMean(options.kind, kinds) +
               "; `tokensim catalog --help` lists them");
    return ExitCode::kUsage;
  }
  if (!options.name.empty()) return PrintEntry(selected, options);
  switch (options.format) {
    case Format::kTable:
      for (Section& section : selected) Shorten(&section);
      PrintSections(selected);
      break;
    case Format::kJson:
      PrintSelectedJson(catalog, selected);
      break;
    case Format::kCsv:
      PrintCsv(selected);
      break;
  }
  return ExitCode::kOk;
}

}  // namespace

void AddCatalogCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<CatalogOptions>();
  CLI::App* command = app.add_subcommand("catalog", "Show what a spec can refer to by name");
  command->footer(kExamples);
  command->add_option("KIND", options->kind, "Which kind of entries")->option_text(" ");
  command->add_option("NAME", options->name, "Which entry")->option_text(" ");
  AddFormatOption(command, &options->format, {Format::kTable, Format::kJson, Format::kCsv});
  command->add_option("--server", options->server, "Ask this server instead of this binary")
      ->option_text("ADDR");
  command->callback([options, exit_code] { *exit_code = RunCatalog(*options); });
}

}  // namespace tokensim::cli
