// `tokensim model`: models out of the files of checkpoints.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/commands.h"
#include "clients/cli/talk.h"
#include "engine/io/plan/model_import.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim model import Qwen3-32B/config.json                     what a spec says of it, to stdout
  tokensim model import DeepSeek-V3/config.json -o deepseek.yaml
  tokensim model import config.json --dtype fp8                   weights of layers in another type
hf_quant_config.json beside the file is read, too. docs/models.md lists the architectures.
A spec can name the file itself: `model: {config: Qwen3-32B/config.json}`.)";

struct ImportOptions {
  std::string config;
  std::string dtype;
  std::string output;  // empty: stdout
};

ExitCode Usage(const std::string& message) {
  PrintError(message);
  return ExitCode::kUsage;
}

// False when there is no such type.
bool FindType(const std::string& name, v1::DataType* type) {
  return v1::DataType_Parse(absl::StrCat("DATA_TYPE_", absl::AsciiStrToUpper(name)), type) &&
         *type != v1::DATA_TYPE_UNSPECIFIED;
}

std::string Billions(int64_t count) {
  return absl::StrFormat("%.3f B", 1e-9 * static_cast<double>(count));
}

// A comment for those who read the file.
std::string Sizes(const Model& model) {
  const KvLayout kv = KvLayoutOf(model, {});
  std::string text = absl::StrCat("# ", Billions(ParameterCount(model)), " parameters, ",
                                  Billions(ActiveParameterCount(model)), " active; KV cache ",
                                  kv.bytes_per_token(), " B a token");
  if (kv.state_bytes() > 0) absl::StrAppend(&text, ", ", kv.state_bytes(), " B a sequence");
  if (model.mtp_layers > 0) {
    absl::StrAppend(&text, "; beside them ", Billions(MtpParameterCount(model)), " of MTP");
  }
  return text + '\n';
}

ExitCode Import(const ImportOptions& options) {
  v1::DataType type = v1::DATA_TYPE_UNSPECIFIED;
  if (!options.dtype.empty() && !FindType(options.dtype, &type)) {
    return Usage("--dtype: no data type '" + options.dtype +
                 "'; allowed are fp32, bf16, fp16, fp8, int8, int4, fp8_block, mxfp4, nvfp4, "
                 "int4_g128, int4_g32");
  }
  const absl::StatusOr<ImportedModel> imported = ImportModel(options.config, type);
  if (!imported.ok()) {
    PrintError(options.config + ": " + std::string(imported.status().message()));
    return imported.status().code() == absl::StatusCode::kNotFound ? ExitCode::kUsage
                                                                   : ExitCode::kSpecInvalid;
  }
  const std::string yaml = Sizes(imported->model) + ToYaml(imported->message);
  if (options.output.empty()) {
    std::cout << yaml;
    return ExitCode::kOk;
  }
  std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
  file << yaml;
  file.close();
  if (file) return ExitCode::kOk;
  return Usage("cannot write " + options.output + ": " + std::strerror(errno));
}

}  // namespace

void AddModelCommand(CLI::App& app, ExitCode* exit_code) {
  CLI::App* model = app.add_subcommand("model", "Models out of the files of checkpoints");
  model->require_subcommand(1);
  CLI::App* import = model->add_subcommand("import", "Read a config.json as on Hugging Face");
  auto options = std::make_shared<ImportOptions>();
  import->add_option("CONFIG", options->config, "config.json of the checkpoint")->required();
  import->add_option("--dtype", options->dtype,
                     "Type of all matrices of layers, whatever the files say: bf16, fp8, nvfp4...");
  import->add_option("-o,--output", options->output, "File to write; default: standard output");
  import->footer(kExamples);
  import->callback([options, exit_code] { *exit_code = Import(*options);
});
}  // namespace tokensim::cli

}  // namespace tokensim::cli
