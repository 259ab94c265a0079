#include "server/http/static_files.h"

#include <fstream>

#include "gtest/gtest.h"

namespace tokensim::http {
namespace {

namespace fs = std::filesystem;

class StaticFilesTest : public ::testing::Test {
 protected:
  StaticFilesTest() {
    std::string pattern = ::testing::TempDir() + "/static-files-XXXXXX";
    root_ = mkdtemp(pattern.data());
    fs::create_directories(root_ / "web/assets");
    Write("web/index.html", "<p>index</p>");
    Write("web/assets/index-1a2B3c4D.js", "let a;");
    Write("web/favicon.svg", "<svg/>");
    Write("secret.txt", "secret");
  }
  ~StaticFilesTest() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }
  Response Get(const std::string& path, Headers headers = {}) {
    Request request;
    request.method = "GET";
    request.target.path = path;
    request.headers = std::move(headers);
    return StaticFiles(root_ / "web").Serve(request);
  }
  static std::string Header(const Response& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }

  fs::path root_;
};

TEST_F(StaticFilesTest, SendsFilesAsWhatTheyAre) {
  const Response page = Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "<p>index</p>");
  EXPECT_EQ(Header(page, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(Header(page, "Cache-Control"), "no-cache");
  EXPECT_NE(Header(page, "Content-Security-Policy").find("default-src 'self'"), std::string::npos);
  EXPECT_EQ(Header(Get("/favicon.svg"), "Content-Type"), "image/svg+xml");
}

TEST_F(StaticFilesTest, HashedFilesAreKeptForEver) {
  const Response script = Get("/assets/index-1a2B3c4D.js");
  EXPECT_EQ(script.body, "let a;");
  EXPECT_EQ(Header(script, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_NE(Header(script, "Cache-Control").find("immutable"), std::string::npos);
  EXPECT_TRUE(IsHashed("assets/a-b-_1a-3c4D.css"));
  EXPECT_FALSE(IsHashed("index.html"));
  EXPECT_FALSE(IsHashed("a-b.js"));
  EXPECT_FALSE(IsHashed("my-long-name"));
}

TEST_F(StaticFilesTest, ViewsOfTheDashboardGetIndex) {
  EXPECT_EQ(Get("/simulations/x").body, "<p>index</p>");
  EXPECT_EQ(Get("/compare/").body, "<p>index</p>");
  EXPECT_EQ(Get("/assets/gone-1a2B3c4D.js").status, 404);
}

TEST_F(StaticFilesTest, UnchangedFilesAreNotSentAgain) {
  const std::string etag = Header(Get("/favicon.svg"), "ETag");
  EXPECT_EQ(Get("/favicon.svg", {{"if-none-match", etag}}).status, 304);
  EXPECT_EQ(Get("/favicon.svg", {{"if-none-match", etag}}).body, "");
  Write("web/favicon.svg", "<svg>changed</svg>");
  EXPECT_EQ(Get("/favicon.svg", {{"if-none-match", etag}}).status, 200);
}

TEST_F(StaticFilesTest, CompressedFilesGoToThoseWhoTakeThem) {
  Write("web/favicon.svg.gz", "compressed");
  const Response compressed = Get("/favicon.svg", {{"accept-encoding", "br, gzip"}});
  EXPECT_EQ(compressed.body, "compressed");
  EXPECT_EQ(Header(compressed, "Content-Encoding"), "gzip");
  EXPECT_EQ(Header(compressed, "Content-Type"), "image/svg+xml");
  EXPECT_EQ(Get("/favicon.svg").body, "<svg/>");
}

TEST_F(StaticFilesTest, NothingOutsideIsSent) {
  fs::create_symlink(root_ / "secret.txt", root_ / "web/link.txt");
  fs::create_directory_symlink(root_, root_ / "web/up");
  EXPECT_EQ(Get("/link.txt").status, 404);
  EXPECT_EQ(Get("/up/secret.txt").status, 404);
  EXPECT_EQ(Get("/assets.txt").status, 404);
}

TEST_F(StaticFilesTest, WithoutADashboardThePageSaysHowToBuildOne) {
  fs::remove(root_ / "web/index.html");
  EXPECT_NE(Get("/").body.find("npm run build"), std::string::npos);
  EXPECT_EQ(Get("/favicon.svg").status, 404);
}

}  // namespace
}  // namespace tokensim::http
