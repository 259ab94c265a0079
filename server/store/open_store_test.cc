#include "server/store/open_store.h"

#include <cstdlib>
#include <filesystem>

#include "gtest/gtest.h"
#include "server/store/test_folder.h"

namespace tokensim {
namespace {

TEST(OpenStore, ByName) {
  const TestFolder folder;
  EXPECT_TRUE(OpenStore("memory", {}).ok());
  EXPECT_FALSE(IsDurable("memory"));
  const std::string file = folder.File("made/for/it/s.db");
  const auto store = OpenStore("sqlite:" + file, {});
  EXPECT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE(std::filesystem::exists(file));
  const auto mode = std::filesystem::status(folder.File("made/for/it")).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::others_all, std::filesystem::perms::none);
  const auto file_mode = std::filesystem::status(file).permissions();
  EXPECT_EQ(file_mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_TRUE(IsDurable("sqlite:" + file));
  const auto second = OpenStore("sqlite:" + file, {});
  EXPECT_NE(second.status().message().find("another --store"), std::string_view::npos);
}

TEST(OpenStore, UnknownNamesAreRefused) {
  for (const char* name :
       {"", "sqlite:", "redis:x", "Memory", "sqlite::memory:", "sqlite:file:x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(OpenStore(name, {}).status())) << name;
  }
  EXPECT_FALSE(OpenStore("sqlite:/proc/no/such/folder/s.db", {}).ok());
}

TEST(OpenStore, TheDefaultIsInTheStateDirectory) {
  const auto with = [](const char* state, const char* xdg, const char* home) {
    const auto set = [](const char* name, const char* value) {
      if (value == nullptr) {
        unsetenv(name);
      } else {
        setenv(name, value, 1);
      }
    };
    set("STATE_DIRECTORY", state);
    set("XDG_STATE_HOME", xdg);
    set("HOME", home);
    return DefaultStore();
  };
  EXPECT_EQ(with("/var/lib/tokensim", "/x", "/home/a"), "sqlite:/var/lib/tokensim/tokensimd.db");
  EXPECT_EQ(with(nullptr, "/x", "/home/a"), "sqlite:/x/tokensim/tokensimd.db");
  EXPECT_EQ(with(nullptr, "", "/home/a"), "sqlite:/home/a/.local/state/tokensim/tokensimd.db");
  EXPECT_EQ(with(nullptr, nullptr, nullptr), "memory");
}

}  // namespace
}  // namespace tokensim
