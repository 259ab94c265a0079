// A profile bundle from its files to the prices of iterations.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "engine/compute/iteration_model.h"
#include "engine/compute/profile/profile_pricer.h"
#include "engine/compute/roofline.h"
#include "engine/io/plan/test_presets.h"
#include "engine/io/profile/profile_reader.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDenseLayers[] = {"embedding",  "layernorm", "qkv_proj",
                                        "rotary_emb", "o_proj",    "gate_up_proj",
                                        "act_fn",     "down_proj", "final_layernorm"};

// A directory with a bundle in which every dense operator takes 10 us + 1 us a token, lm_head 100
// us
// + 2 us a sequence, sampler 5 us, and attention 1 us + what is attended / 100.
class Bundle {
 public:
  Bundle() : path_(fs::path(::testing::TempDir()) / ("profile" + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
    std::string dense = "layer,tokens,time_us\n";
    for (const char* layer : kDenseLayers) {
      for (const int n : {1, 64, 2048}) {
        dense += std::string(layer) + "," + std::to_string(n) + "," + std::to_string(10 + n) + "\n";
      }
    }
    Write("dense.csv", dense);
    Write("per_sequence.csv",
          "layer,sequences,time_us\nlm_head,1,102\nlm_head,128,356\nsampler,1,5\nsampler,128,5\n");
    Write("attention.csv",
          "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n"
          "0,0,1,100,2\n0,0,64,100,65\n0,0,1,1100,12\n0,0,64,1100,705\n"
          "16,0,0,0,3\n16,1000,0,0,13\n16,0,64,1100,800\n16,1000,64,1100,810\n"
          "2048,0,0,0,300\n2048,1000,0,0,400\n2048,0,64,1100,1200\n2048,1000,64,1100,1300\n");
  }
  ~Bundle() { fs::remove_all(path_); }
  void Write(const std::string& file, const std::string& text) const {
    std::ofstream(path_ / file) << text;
  }
  [[nodiscard]] ProfileTables Read() const {
    const auto tables = ReadProfile(path_.string());
    EXPECT_TRUE(tables.ok()) << tables.status();
    return tables.ok() ? *tables : ProfileTables{};
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

TransformerConfig Llama() { return ReadModelPreset("llama3.1-8b"); }
DeviceConfig Device() { return ReadHardwarePreset("rtx-pro-6000"); }

std::unique_ptr<const ComputeModel> Model(const ProfileTables& tables,
                                          CalibrationConfig calibration = {}) {
  return MakeIterationModel({.model = Llama(),
                             .parallelism = {},
                             .pricer = MakeProfilePricer(tables, Llama(), Device(), {}),
                             .calibration = std::move(calibration),
                             .expected_max_tokens = 2048});
}

IterationShape Decodes(int32_t count, int64_t context) {
  return {.decode_count = count, .decode_context = count * context, .sampled_count = count};
}

TEST(ProfilePricerTest, AnIterationIsTheSumOfWhatWasMeasured) {
  const Bundle bundle;
  const auto model = Model(bundle.Read());
  // Of a layer: two norms, qkv and rotary, o, gate_up, act, down: eight at 10 + 64 us.
  const double layer = 8 * 74 + 65;
  const double outside = 2 * 74 + (100 + 2 * 64) + 5;
  EXPECT_NEAR(model->IterationSeconds(Decodes(64, 100)), 1e-6 * (32 * layer + outside), 1e-9);
}

TEST(ProfilePricerTest, AChunkSharesItsKernelWithTheDecodes) {
  const Bundle bundle;
  const auto pricer = MakeProfilePricer(bundle.Read(), Llama(), Device(), {});
  const PrefillChunk chunks[] = {{16, 500}, {2048, 0}};
  IterationShape shape = Decodes(64, 1100);
  shape.prefill = {&chunks[0], 1};
  EXPECT_NEAR(pricer->Attention(shape, 1).sum(), 805e-6, 1e-10);
  EXPECT_NEAR(pricer->Attention(shape, 1).decode, 705e-6, 1e-10);
  // The largest with the decodes, the other as alone but for the fixed cost: 1200 + 8 - 3.
  shape.prefill = chunks;
  EXPECT_NEAR(pricer->Attention(shape, 1).sum(), 1205e-6, 1e-10);
}

TEST(ProfilePricerTest, BeyondTheRangeItGrowsAsTheRoofline) {
  const Bundle bundle;
  const auto pricer = MakeProfilePricer(bundle.Read(), Llama(), Device(), {});
  const auto roofline = MakeRooflinePricer(Llama(), Device(), {});
  std::vector<Operator> edge;
  std::vector<Operator> beyond;
  const TransformerOperators operators(Llama(), {});
  operators.AppendDense(2048, edge);
  operators.AppendDense(8192, beyond);
  for (size_t i = 0; i < edge.size(); ++i) {
    const double growth = roofline->Seconds(beyond[i]) / roofline->Seconds(edge[i]);
    EXPECT_NEAR(pricer->Seconds(beyond[i]), growth * pricer->Seconds(edge[i]),
                1e-9 * pricer->Seconds(beyond[i]))
        << edge[i].name;
    EXPECT_GT(growth, 2) << edge[i].name;
  }
  const double growth = roofline->Attention(Decodes(64, 4400), 1).sum() /
                        roofline->Attention(Decodes(64, 1100), 1).sum();
  EXPECT_NEAR(pricer->Attention(Decodes(64, 4400), 1).sum(), growth * 705e-6, 1e-9);
}

TEST(ProfilePricerTest, UnequalContextsTakeLongerByAlpha) {
  const Bundle bundle;
  bundle.Write("skew.csv", "n,nb,pc,alpha\n64,8,0,0.1\n64,16,0,0.3\n64,60,0,0.9\n64,2,0,\n");
  const ProfileTables tables = bundle.Read();
  ASSERT_EQ(tables.skew.size(), 1U);  // the mean of those with some long ones
  EXPECT_FLOAT_EQ(tables.skew.alpha[0], 0.2F);
  const auto pricer = MakeProfilePricer(tables, Llama(), Device(), {});
  EXPECT_TRUE(pricer->WantsLongestContext());
  IterationShape shape = Decodes(64, 100);
  shape.max_decode_context = 600;  // all at 600 would take 385 us
  EXPECT_NEAR(pricer->Attention(shape, 1).sum(), (65 + 0.2 * 320) * 1e-6, 1e-10);
  // Or shorter, down to half.
  const auto with = [&](float alpha) {
    ProfileTables other = tables;
    other.skew.alpha[0] = alpha;
    return MakeProfilePricer(other, Llama(), Device(), {})->Attention(shape, 1).sum();
  };
  EXPECT_NEAR(with(-0.05F), (65 - 0.05 * 320) * 1e-6, 1e-10);
  EXPECT_NEAR(with(-0.5F), 65e-6 / 2, 1e-10);
}

TEST(ProfilePricerTest, SaysWhatPricesWhat) {
  const Bundle bundle;
  const auto model = Model(bundle.Read());
  for (const OperatorSource& source : model->Sources()) {
    EXPECT_EQ(source.source.rfind("profile: ", 0), 0U) << source.name << ' ' << source.source;
  }
}

TEST(ProfilePricerTest, TheRooflinePricesWhatWasNotMeasured) {
  const Bundle bundle;
  ProfileTables tables = bundle.Read();
  tables.per_sequence = {};
  tables.dense.layers[4] = "unheard_of";  // o_proj
  const auto pricer = MakeProfilePricer(tables, Llama(), Device(), {});
  const auto roofline = MakeRooflinePricer(Llama(), Device(), {});
  for (const Operator& op : TransformerOperators(Llama(), {}).List(Decodes(8, 100))) {
    if (op.kind == OperatorKind::kAttention) continue;
    const std::string name = op.name;
    const bool missing = name == "out_proj" || name == "lm_head" || name == "sampler";
    EXPECT_EQ(pricer->Seconds(op) == roofline->Seconds(op), missing) << name;
    EXPECT_EQ(pricer->Source(name) == "roofline", missing) << name;
  }
}

// Tables of chunks alone and decodes alone.
TEST(ProfilePricerTest, WithoutMixedStepsTheirTimesAdd) {
  const Bundle bundle;
  bundle.Write("attention.csv",
               "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n"
               "0,0,1,100,2\n0,0,64,100,65\n16,0,0,0,3\n2048,0,0,0,300\n");
  const auto pricer = MakeProfilePricer(bundle.Read(), Llama(), Device(), {});
  const PrefillChunk chunk{2048, 0};
  IterationShape shape = Decodes(64, 100);
  shape.prefill = {&chunk, 1};
  EXPECT_NEAR(pricer->Attention(shape, 1).sum(), 365e-6, 1e-10);
}

TEST(ProfilePricerTest, RefusesWhatIsMissingOrWrong) {
  const Bundle bundle;
  const ProfileTables good = bundle.Read();
  EXPECT_TRUE(CheckProfile(good).ok());
  const auto message = [&](auto change) {
    ProfileTables tables = good;
    change(tables);
    return std::string(CheckProfile(tables).message());
  };
  EXPECT_EQ(message([](auto& t) { t.dense.microseconds[3] = 0; }),
            "dense: time_us of row 4 is 0; it must be above 0");
  EXPECT_EQ(message([](auto& t) { t.dense.size[3] = 0; }),
            "dense: size of row 4 is 0; it must be at least 1");
  EXPECT_EQ(message([](auto& t) { t.dense.layer[0] = 99; }),
            "dense: layer of row 1 is not in layers");
  EXPECT_EQ(message([](auto& t) { t.dense = {}; }), "dense: has no rows");
  EXPECT_EQ(message([](auto& t) {
              t.attention.n_decode[8] = 1;
              t.attention.n_decode[9] = 1;
            }),
            "attention: has no chunk of 2048 tokens alone (n_decode 0)");
  EXPECT_EQ(message([](auto& t) {
              t.skew = {{0}, {1}, {2.0F}};
            }),
            "skew: alpha of row 1 is 2; it must be in -1..1");
}

TEST(ProfileReaderTest, SaysWhereAFileIsWrong) {
  const Bundle bundle;
  bundle.Write("dense.csv", "layer,tokens,time_us\nembedding,1,x\n");
  EXPECT_EQ(ReadProfile(bundle.path()).status().message(),
            bundle.path() + "/dense.csv:2: time_us is \"x\", not a number");
  bundle.Write("dense.csv", "layer,tokens\nembedding,1\n");
  EXPECT_EQ(ReadProfile(bundle.path()).status().message(),
            bundle.path() + "/dense.csv has no column time_us");
  bundle.Write("dense.csv", "layer,tokens,time_us\nembedding,1\n");
  EXPECT_EQ(ReadProfile(bundle.path()).status().message(),
            bundle.path() + "/dense.csv:2: has 2 fields, needs 3");
  EXPECT_EQ(ReadProfile(bundle.path() + "/none").status().message(),
            "no directory " + bundle.path() + "/none");
}

// The physics of measured bundles: no step faster than its weights over the peak bandwidth.
TEST(ProfileDataTest, MeasuredBundlesAreNotFasterThanPhysics) {
  const char* data = std::getenv("TOKENSIM_DATA");
  const fs::path root = fs::path(data != nullptr ? data : TOKENSIM_DEFAULT_DATA) / "profiles";
  if (!fs::is_directory(root)) GTEST_SKIP() << "no measured profiles in " << root;
  const auto tables = ReadProfile((root / "RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1").string());
  ASSERT_TRUE(tables.ok()) << tables.status();
  ASSERT_TRUE(CheckProfile(*tables).ok());
  const auto model = Model(*tables);
  const double weights = static_cast<double>(WeightBytesPerDevice(Llama(), {})) -
                         2.0 * Llama().hidden_size * Llama().vocab_size;  // rows looked up only
  const double floor = weights / Device().memory_bandwidth_bytes_per_second;
  double last = 0;
  for (const int32_t count : {1, 2, 4, 8, 16, 32, 64, 128, 256}) {
    const double seconds = model->IterationSeconds(Decodes(count, 1024));
    EXPECT_GT(seconds, floor) << count;
    EXPECT_GT(seconds, 0.99 * last) << count;
    last = seconds;
  }
}

}  // namespace
}  // namespace tokensim
