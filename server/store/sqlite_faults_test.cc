// The disk fails at its k-th call, for every k: an operation that returned OK is kept, one that
// failed has not happened, and the store goes on when the disk does.
#include <sqlite3.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/store/memory_store.h"
#include "server/store/sqlite_store.h"
#include "server/store/test_folder.h"
#include "server/store/test_records.h"

namespace tokensim {
namespace {

// SQLite's own file system; calls that change a file can be made to fail.
class FaultyDisk {
 public:
  static constexpr char kName[] = "faulty";

  FaultyDisk() {
    base_ = sqlite3_vfs_find(nullptr);
    vfs_ = *base_;
    vfs_.zName = kName;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    vfs_.xOpen = Open;
    disk_ = this;
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~FaultyDisk() {
    sqlite3_vfs_unregister(&vfs_);
    disk_ = nullptr;
  }
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // The call number `at` from here, the first being 1, fails with `code`; `lasting`: all after it, too.
  void FailAt(int64_t at, int code, bool lasting) {
    at_ = at;
    code_ = code;
    lasting_ = lasting;
    calls_ = 0;
    failed_ = 0;
  }
  void Repair() { at_ = 0; }
  [[nodiscard]] int64_t failed() const { return failed_; }

 private:
  struct File {
    sqlite3_file base;
    // The real one follows.
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  int Fault() {
    ++calls_;
    const bool fails = at_ > 0 && (lasting_ ? calls_ >= at_ : calls_ == at_);
    failed_ += fails ? 1 : 0;
    return fails ? code_ : SQLITE_OK;
  }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    (void)vfs;
    std::memset(file, 0, sizeof(File));
    const int code = disk_->base_->xOpen(disk_->base_, name, Of(file)->real(), flags, out);
    if (code == SQLITE_OK) file->pMethods = Methods();
    return code;
  }

  static const sqlite3_io_methods* Methods() {
    static const sqlite3_io_methods methods = [] {
      sqlite3_io_methods m{};
      m.iVersion = 1;  // no shared memory: the store has the file for itself
      m.xClose = [](sqlite3_file* f) { return Of(f)->real()->pMethods->xClose(Of(f)->real()); };
      m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
        return Of(f)->real()->pMethods->xRead(Of(f)->real(), to, n, at);
      };
      m.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
        sqlite3_file* real = Of(f)->real();
        const int fault = disk_->Fault();
        if (fault == SQLITE_OK) return real->pMethods->xWrite(real, from, n, at);
        (void)real->pMethods->xWrite(real, from, n / 2, at);  // a part of it is there
        return fault;
      };
      m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
        const int fault = disk_->Fault();
        return fault != SQLITE_OK ? fault : Of(f)->real()->pMethods->xTruncate(Of(f)->real(), size);
      };
      m.xSync = [](sqlite3_file* f, int flags) {
        const int fault = disk_->Fault();
        return fault != SQLITE_OK ? fault : Of(f)->real()->pMethods->xSync(Of(f)->real(), flags);
      };
      m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
        return Of(f)->real()->pMethods->xFileSize(Of(f)->real(), size);
      };
      m.xLock = [](sqlite3_file* f, int kind) {
        return Of(f)->real()->pMethods->xLock(Of(f)->real(), kind);
      };
      m.xUnlock = [](sqlite3_file* f, int kind) {
        return Of(f)->real()->pMethods->xUnlock(Of(f)->real(), kind);
      };
      m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
        return Of(f)->real()->pMethods->xCheckReservedLock(Of(f)->real(), out);
      };
      m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
        return Of(f)->real()->pMethods->xFileControl(Of(f)->real(), op, arg);
      };
      m.xSectorSize = [](sqlite3_file* f) {
        return Of(f)->real()->pMethods->xSectorSize(Of(f)->real());
      };
      m.xDeviceCharacteristics = [](sqlite3_file* f) {
        return Of(f)->real()->pMethods->xDeviceCharacteristics(Of(f)->real());
      };
      return m;
    }();
    return &methods;
  }

  inline static FaultyDisk* disk_ = nullptr;
  sqlite3_vfs* base_ = nullptr;
  sqlite3_vfs vfs_{};
  int64_t at_ = 0;
  int64_t calls_ = 0;
  int64_t failed_ = 0;
  int code_ = SQLITE_OK;
  bool lasting_ = false;
};

using Step = std::function<absl::Status(Store&)>;

Step CreateOne(const std::string& id) {
  return [id](Store& store) {
    return store.Create(MakeRecord(id, "default", "rid-" + id, "b")).status();
  };
}

Step SetStateOf(const std::string& id, SimulationState state) {
  return [id, state](Store& store) {
    return store
        .Update({"default", id},
                [state](SimulationRecord& record) {
                  record.state = state;
                  if (state != v1::Simulation::SUCCEEDED) return absl::OkStatus();
                  auto report = std::make_shared<v1::Report>();
                  report->set_spec_name(std::string(20'000, 'r'));
                  record.report = report;
                  return absl::OkStatus();
                })
        .status();
  };
}

Step DeleteOne(const std::string& id) {
  return [id](Store& store) { return store.Delete({"default", id}, {}); };
}

// What a server does with its simulations, more than the limit of the store keeps.
std::vector<Step> Script() {
  std::vector<Step> steps;
  for (int i = 0; i < 6; ++i) {
    const std::string id = "s" + std::to_string(i);
    steps.push_back(CreateOne(id));
    steps.push_back(SetStateOf(id, v1::Simulation::RUNNING));
    steps.push_back(SetStateOf(id, v1::Simulation::SUCCEEDED));
    if (i % 2 == 1) steps.push_back(DeleteOne(id));
  }
  steps.push_back(CreateOne("last"));
  return steps;
}

// All that a store holds, as text.
std::string Contents(Store& store) {
  std::string out;
  const auto records = store.List("default", {}, kNewest, 100);
  if (!records.ok()) return "unreadable: " + records.status().ToString();
  for (const SimulationRecord& row : *records) {
    const auto record = store.Get(row.name);
    if (!record.ok()) return "unreadable: " + record.status().ToString();
    out += record->name.id + ' ' + std::to_string(record->state) + ' ' +
           std::to_string(record->revision) + (record->report != nullptr ? " report\n" : "\n");
  }
  return out;
}

constexpr StoreLimits kLimits = {.max_records = 3};

// Runs the script with a fault; false when it came to its end before the fault. A step that fails is
// tried again after the disk is repaired, as clients and runners do.
bool RunWithFault(int64_t at, int code, bool lasting) {
  FaultyDisk disk;
  const TestFolder folder;
  MemoryStore model(kLimits);
  auto opened = SqliteStore::Open(folder.File("s.db"), kLimits, FaultyDisk::kName);
  EXPECT_TRUE(opened.ok()) << opened.status();
  if (!opened.ok()) return false;
  std::unique_ptr<SqliteStore> store = *std::move(opened);
  disk.FailAt(at, code, lasting);
  int64_t failures = 0;
  for (const Step& step : Script()) {
    const std::string before = Contents(*store);
    absl::Status done = step(*store);
    if (!done.ok()) {
      ++failures;
      EXPECT_GT(disk.failed(), 0) << done;
      EXPECT_TRUE(absl::IsUnavailable(done) || absl::IsResourceExhausted(done)) << done;
      EXPECT_EQ(Contents(*store), before) << "a step that failed has not happened";
      disk.Repair();
      done = step(*store);
    }
    EXPECT_TRUE(done.ok()) << done;
    EXPECT_TRUE(step(model).ok());
    EXPECT_EQ(Contents(*store), Contents(model));
  }
  const bool faulted = disk.failed() > 0;
  disk.Repair();
  store = nullptr;
  auto again = SqliteStore::Open(folder.File("s.db"), kLimits, FaultyDisk::kName);
  EXPECT_TRUE(again.ok()) << again.status();
  if (again.ok()) {
    EXPECT_EQ(Contents(**again), Contents(model));
  }
  EXPECT_LE(failures, 1);
  return faulted;
}

TEST(SqliteFaults, OneCallFails) {
  int64_t k = 1;
  while (RunWithFault(k, SQLITE_IOERR, false) && !HasFailure()) ++k;
  EXPECT_GT(k, 50);  // there were calls to fail
}

TEST(SqliteFaults, TheDiskIsFull) {
  int64_t k = 1;
  while (RunWithFault(k, SQLITE_FULL, true) && !HasFailure()) ++k;
  EXPECT_GT(k, 50);
}

// A store that cannot be set up says so, and can be opened later.
TEST(SqliteFaults, OpeningFails) {
  FaultyDisk disk;
  for (int64_t k = 1;; ++k) {
    const TestFolder folder;
    disk.FailAt(k, SQLITE_IOERR, true);
    const auto failed = SqliteStore::Open(folder.File("s.db"), kLimits, FaultyDisk::kName);
    const bool faulted = disk.failed() > 0;
    EXPECT_EQ(failed.ok(), !faulted) << k;
    disk.Repair();
    if (!faulted) break;
    const auto later = SqliteStore::Open(folder.File("s.db"), kLimits, FaultyDisk::kName);
    ASSERT_TRUE(later.ok()) << k << ": " << later.status();
    EXPECT_EQ(Contents(**later), "");
  }
}

}  // namespace
}  // namespace tokensim
