// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/place.hpp"
#include "store/schema.hpp"
#include "support/fault_vfs.hpp"

#include <satchel/error.hpp>
#include <satchel/inspect.hpp>
#include <satchel/sqlite_defects.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

using namespace store_test;
using satchel::OpenError;
using support::FaultVfs;
using support::FileKind;
using support::FileOp;

namespace {

void write_text(const std::string& path, const std::string& text) { std::ofstream{path} << text; }

std::string read_text(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

std::size_t entries(const std::string& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{directory}) ++count;
  return count;
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0U;
}

OpenError refused(const File& file) {
  const auto error = error_of<OpenError>([&] { file.open(); });
  CHECK(error.operation().find("open") != std::string::npos);
  CHECK_FALSE(error.hint().empty());
  return error;
}

}  // namespace

TEST_CASE("open: a new file and all that belongs to it have mode 0600") {
  const File file;
  const auto store = file.open();
  store->save(message());
  for (const char* suffix : {"", "-wal", "-shm", "-relay"}) {
    CAPTURE(suffix);
    CHECK(mode_of(file.path + suffix) == 0600U);
  }
}

TEST_CASE("open: a new file has the page size asked for, WAL mode and none of the application's numbers") {
  File file;
  file.options.page_size = 1024;
  const auto store = file.open();
  Foreign foreign{file.path};
  CHECK(foreign.number("PRAGMA page_size") == 1024);
  CHECK(foreign.text("PRAGMA journal_mode") == "wal");
  CHECK(foreign.number("PRAGMA user_version") == 0);
  CHECK(foreign.number("PRAGMA application_id") == 0);
  CHECK(foreign.number("PRAGMA auto_vacuum") == 0);
}

TEST_CASE("open: an application's own database is taken as it is") {
  const File file;
  {
    Foreign foreign{file.path};
    foreign.exec(
        "PRAGMA page_size = 8192; PRAGMA user_version = 7; CREATE TABLE reading(v); INSERT INTO reading "
        "VALUES (1)");
  }
  const auto store = file.open();
  CHECK(store->save(message()).row == 1);
  Foreign foreign{file.path};
  CHECK(foreign.number("SELECT v FROM reading") == 1);
  CHECK(foreign.number("PRAGMA user_version") == 7);
  CHECK(foreign.number("PRAGMA page_size") == 8192);
}

TEST_CASE("open: paths that name no database file are refused with a hint") {
  File file;
  const std::string directory = file.directory.path();
  for (const std::string& path : {std::string{}, std::string{":memory:"}, std::string{"file:x.db?mode=ro"},
                                  directory, directory + "/", directory + "/missing/device.db",
                                  directory + "/" + std::string(250, 'n'), std::string{"/dev/null"}}) {
    CAPTURE(path);
    file.path = path;
    refused(file);
  }
  CHECK(entries(directory) == 0);
  file.path = directory + "/missing/device.db";
  CHECK(refused(file).problem().find("missing does not exist") != std::string::npos);
}

TEST_CASE("open: a symbolic link is followed to its file, and one that leads nowhere is refused") {
  File file;
  const std::string real = file.path;
  const std::string link = file.directory.path() + "/link.db";
  std::filesystem::create_symlink(real, link);
  file.path = link;
  refused(file);
  file.path = real;
  file.open()->save(message());
  file.path = link;
  const auto store = file.open();
  CHECK(store->path() == real);
  CHECK(store->counts().pending == 1);
}

TEST_CASE("open: a file that is no database is refused and left as it is") {
  const File file;
  const std::string text(5000, 'z');
  write_text(file.path, text);
  const auto error = refused(file);
  CHECK(error.hint().find("not an SQLite database") != std::string::npos);
  CHECK(read_text(file.path) == text);
  CHECK(entries(file.directory.path()) == 1);
}

TEST_CASE("open: a newer schema is refused before anything is written, a compatible one is used as it is") {
  const File file;
  {
    Foreign foreign{file.path};
    foreign.exec(
        "CREATE TABLE satchel_state(name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
        "INSERT INTO satchel_state VALUES ('schema', 9), ('schema_compatible', 3)");
  }
  const std::string before = read_text(file.path);
  const auto error = error_of<satchel::SchemaTooNew>([&] { file.open(); });
  CHECK(error.problem().find("schema 9") != std::string::npos);
  CHECK(read_text(file.path) == before);
  CHECK(entries(file.directory.path()) == 1);

  const File other;
  other.open()->save(message());
  {
    Foreign foreign{other.path};
    foreign.exec("UPDATE satchel_state SET value = 9 WHERE name = 'schema'");
    foreign.exec("ALTER TABLE satchel_message ADD COLUMN later TEXT");
  }
  const auto store = other.open();
  CHECK(store->save(message()).row == 2);
  CHECK(Foreign{other.path}.number("SELECT value FROM satchel_state WHERE name = 'schema'") == 9);
}

TEST_CASE("open: an older schema is brought up to date and keeps its messages") {
  const File file;
  const MessageId kept = file.open()->save(message("kept"));
  {
    Foreign foreign{file.path};
    foreign.exec(
        "UPDATE satchel_state SET value = 0 WHERE name = 'schema';"
        "DROP TABLE satchel_counter; DROP TABLE satchel_dead; DROP INDEX satchel_message_by_key");
  }
  const auto store = file.open();
  Foreign foreign{file.path};
  CHECK(foreign.number("SELECT value FROM satchel_state WHERE name = 'schema'") ==
        satchel::store::kSchemaVersion);
  CHECK(foreign.number("SELECT count(*) FROM sqlite_schema WHERE name IN ('satchel_counter', 'satchel_dead',"
                       " 'satchel_message_by_key')") == 3);
  REQUIRE(pending(*store) == std::vector{kept.row});
  CHECK(store->claim({}).messages.front().id == kept);
  CHECK(store->counts().dead == 0);
}

TEST_CASE("open: migrations run in order from where the file stands, and a failing one changes nothing") {
  const File file;
  file.open();
  SQLite::Database database{file.path, SQLite::OPEN_READWRITE};
  const std::vector<satchel::store::Migration> steps{
      {satchel::store::kSchemaVersion, "CREATE TABLE must_not_run(x)"},
      {satchel::store::kSchemaVersion + 1, "CREATE TABLE second(x)"},
      {satchel::store::kSchemaVersion + 2, "ALTER TABLE second ADD COLUMN y"}};
  satchel::store::migrate(database, steps, 1);
  CHECK(satchel::store::read_schema_version(database)->version == satchel::store::kSchemaVersion + 2);
  CHECK(satchel::store::read_schema_version(database)->compatible == 1);
  CHECK(database.execAndGet("SELECT count(*) FROM pragma_table_info('second')").getInt() == 2);
  CHECK_FALSE(database.tableExists("must_not_run"));
}

TEST_CASE("open: a clone differs by its machine id, and where that is the same by its device id") {
  const support::TempDir directory;
  const auto machine = [&](const std::string& id) {
    const std::string path = directory.path() + "/machine-id";
    std::ofstream{path} << id << '\n';
    return path;
  };
  using satchel::store::machine_hash;
  const std::int64_t original = machine_hash("unit", machine("0123456789abcdef0123456789abcdef"));
  CHECK(machine_hash("unit", machine("0123456789abcdef0123456789abcdef")) == original);
  CHECK(machine_hash("unit", machine("0123456789abcdef0123456789abcdee")) != original);
  CHECK(machine_hash("unit 2", machine("0123456789abcdef0123456789abcdef")) != original);
  const std::string none = directory.path() + "/none";
  CHECK(machine_hash("unit", none) == machine_hash("unit", none));
  CHECK(machine_hash("unit", none) != machine_hash("unit 2", none));
  // Parts that are joined must not pass for others.
  CHECK(machine_hash("b", machine("a")) != machine_hash("", machine("a\nb")));
}

TEST_CASE("open: a hard-linked file is refused") {
  const File file;
  file.open();
  std::filesystem::create_hard_link(file.path, file.directory.path() + "/other.db");
  CHECK(refused(file).problem().find("2 names") != std::string::npos);
}

TEST_CASE("open: a file or directory that this user may not write is refused and unharmed") {
  const File file;
  file.open()->save(message());
  // Root may write everything: the child becomes somebody else.
  const auto as_nobody = [&](const std::string& what) {
    return in_child([&] {
      if (::geteuid() == 0 && ::setuid(65534) != 0) return 97;
      try {
        file.open();
      } catch (const OpenError& error) {
        return error.problem().find(what) != std::string::npos && !error.hint().empty() ? 0 : 1;
      }
      return 2;
    });
  };
  REQUIRE(::chmod(file.directory.path().c_str(), 0755) == 0);
  CHECK(as_nobody("is not writable") == 0);
  REQUIRE(::chmod(file.directory.path().c_str(), 0777) == 0);
  REQUIRE(::chmod(file.path.c_str(), 0444) == 0);
  CHECK(as_nobody("read-only") == 0);
  REQUIRE(::chmod(file.path.c_str(), 0600) == 0);
  CHECK(file.open()->counts().pending == 1);
}

TEST_CASE("open: when the relay file cannot be made nothing is left behind") {
  const File file;
  std::filesystem::create_directory(file.path + "-relay");
  const auto error = refused(file);
  CHECK(error.problem().find("relay file") != std::string::npos);
  CHECK(entries(file.directory.path()) == 1);
}

TEST_CASE("open: a full disk at any write of the making is a FullError and leaves nothing behind") {
  for (std::uint64_t nth = 1;; ++nth) {
    CAPTURE(nth);
    FaultVfs faults;
    File file;
    file.options.vfs = faults.name();
    faults.fail(FileOp::write, std::nullopt, SQLITE_FULL, nth, true);
    bool opened = false;
    try {
      file.open();
      opened = true;
    } catch (const satchel::FullError& error) {
      CHECK(error.hint().find("free space") != std::string::npos);
    }
    if (opened) {
      CHECK(nth > 2);
      break;
    }
    CHECK(entries(file.directory.path()) == 0);
    faults.heal();
    CHECK(file.open()->save(message()).row == 1);
  }
}

TEST_CASE("open: a failing read or sync is an error of our family, and the next open works") {
  for (const FileOp op : {FileOp::read, FileOp::sync, FileOp::open, FileOp::shared_memory}) {
    for (std::uint64_t nth = 1; nth < 200; ++nth) {
      CAPTURE(nth);
      FaultVfs faults;
      File file;
      file.options.vfs = faults.name();
      const int code = op == FileOp::read   ? SQLITE_IOERR_READ
                       : op == FileOp::sync ? SQLITE_IOERR_FSYNC
                       : op == FileOp::open ? SQLITE_CANTOPEN
                                            : SQLITE_IOERR_SHMMAP;
      faults.fail(op, std::nullopt, code, nth);
      try {
        file.open();
      } catch (const satchel::Error&) {
      }
      const bool failed = faults.failures() > 0;
      faults.heal();
      CHECK(file.open()->save(message()).row == 1);
      if (!failed) break;
    }
  }
}

TEST_CASE("open: file systems without coherent locks and shared memory are named, local ones are not") {
  using satchel::store::unfit_file_system;
  CHECK(unfit_file_system(0x6969) == "NFS");
  CHECK_FALSE(unfit_file_system(0xFF534D42).empty());
  CHECK_FALSE(unfit_file_system(static_cast<std::int32_t>(0xFF534D42)).empty());
  CHECK_FALSE(unfit_file_system(0xFE534D42).empty());
  CHECK_FALSE(unfit_file_system(0x517B).empty());
  CHECK_FALSE(unfit_file_system(0x01021997).empty());
  CHECK_FALSE(unfit_file_system(0x65735546).empty());
  CHECK_FALSE(unfit_file_system(0x786F4256).empty());
  for (const std::int64_t local :
       std::vector<std::int64_t>{0xEF53, 0x01021994, 0x58465342, 0x9123683E, 0x4D44, 0xF2F52010}) {
    CHECK(unfit_file_system(local).empty());
  }
}

TEST_CASE("open: known defects of the SQLite in use are told, and only where it has them") {
  using satchel::store::notices_about;
  struct Version {
    int number;
    std::vector<std::string> defects;
  };
  const std::vector<Version> versions{
      {3'040'001,
       {"wal-reset", "savepoint-spill", "lock-loss", "upsert-index", "upsert-trigger", "mmap-overread"}},
      {3'044'005,
       {"wal-reset", "savepoint-spill", "lock-loss", "upsert-index", "upsert-trigger", "mmap-overread"}},
      {3'044'006, {"savepoint-spill", "lock-loss", "upsert-index", "upsert-trigger", "mmap-overread"}},
      {3'045'000,
       {"wal-reset", "savepoint-spill", "lock-loss", "upsert-index", "upsert-trigger", "mmap-overread"}},
      {3'045'001, {"wal-reset", "savepoint-spill", "lock-loss", "upsert-index", "upsert-trigger"}},
      {3'045'002, {"wal-reset", "savepoint-spill", "lock-loss", "upsert-trigger"}},
      {3'046'001, {"wal-reset", "savepoint-spill", "lock-loss"}},
      {3'050'002, {"wal-reset", "lock-loss"}},
      {3'050'007, {"lock-loss"}},
      {3'051'000, {"wal-reset"}},
      {3'051'002, {"wal-reset"}},
      {3'051'003, {}},
      {3'053'004, {}},
  };
  for (const Version& version : versions) {
    CAPTURE(version.number);
    std::vector<std::string> found;
    for (const satchel::SqliteDefect& defect : satchel::sqlite_defects(version.number)) {
      found.push_back(defect.id);
      CHECK_FALSE(defect.problem.empty());
      CHECK_FALSE(defect.fixed_in.empty());
      CHECK_FALSE(defect.measure.empty());
    }
    CHECK(found == version.defects);
    CHECK(notices_about(version.number).size() == version.defects.size());
  }
  CHECK(satchel::sqlite_defects().size() == satchel::sqlite_defects(sqlite3_libversion_number()).size());
  CHECK(notices_about(3'040'001).front().find("3.40.1") != std::string::npos);
  const File file;
  file.open();
  CHECK(file.notes->all().size() == notices_about(sqlite3_libversion_number()).size());
}

TEST_CASE("open: an option out of range is refused before the file is made") {
  File file;
  file.options.page_size = 1000;
  CHECK_THROWS_AS(file.open(), satchel::InvalidOption);
  CHECK(entries(file.directory.path()) == 0);
}

TEST_CASE("open: opening what is in order writes nothing") {
  FaultVfs faults;
  File file;
  file.options.vfs = faults.name();
  file.clock->set_wall(satchel::WallTime{std::chrono::milliseconds{1'790'000'000'000}}, true);
  file.open()->save(message());
  faults.reset_traffic();
  file.open();
  CHECK(faults.traffic().bytes_written == 0);
}

TEST_CASE("open: many processes that open a new file at once all succeed") {
  const File file;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      int status = 1;
      try {
        file.open()->save(message());
        status = 0;
      } catch (...) {
      }
      ::_exit(status);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    CHECK(status == 0);
  }
  const auto store = file.open();
  CHECK(store->counts().pending == 8);
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_identity") == 1);
}

TEST_CASE("open: exact counts are made anew where one of their triggers is gone") {
  File file;
  file.options.quota.exact = true;
  file.options.quota.messages = 100;
  file.open()->save(message());
  Foreign{file.path}.exec("DROP TRIGGER satchel_quota_insert");
  Foreign{file.path}.exec("INSERT INTO satchel_message(topic, payload) VALUES ('a', 'x')");
  CHECK(Foreign{file.path}.number("SELECT sum(messages) FROM satchel_quota") == 1);
  file.open();
  CHECK(Foreign{file.path}.number("SELECT sum(messages) FROM satchel_quota") == 2);
}

TEST_CASE("open: a visitor after a reboot leaves exact counts as they are") {
  File file;
  file.options.quota.exact = true;
  file.open()->save(message());
  file.clock->reboot("another");
  file.options.visiting = true;
  for (const bool exact : {false, true}) {
    file.options.quota.exact = exact;
    file.open()->save(message());
  }
  CHECK(Foreign{file.path}.number("SELECT sum(messages) FROM satchel_quota") == 3);
}

TEST_CASE("open: a database of the application without a table is taken as it is") {
  const File file;
  {
    SQLite::Database theirs{file.path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    theirs.exec("PRAGMA page_size = 8192; PRAGMA user_version = 7");
  }
  CHECK(file.open()->save(message()).row == 1);
  Foreign foreign{file.path};
  CHECK(foreign.number("PRAGMA user_version") == 7);
  CHECK(foreign.number("PRAGMA page_size") == 8192);
}

TEST_CASE("open: a name without a directory is a file where the program runs") {
  const support::TempDir directory;
  struct Elsewhere {
    explicit Elsewhere(const std::string& path) { std::filesystem::current_path(path); }
    ~Elsewhere() { std::filesystem::current_path(before); }
    const std::filesystem::path before = std::filesystem::current_path();
  };
  {
    const Elsewhere there{directory.path()};
    CHECK(Store::open("device.db", {})->save(message()).row == 1);
  }
  CHECK(std::filesystem::exists(directory.path() + "/device.db"));
}

TEST_CASE("open: a relay file that is made anew belongs to whom the database belongs") {
  File file;
  file.open();
  const std::string relay = file.path + "-relay";
  const bool root = ::geteuid() == 0;
  REQUIRE(::chmod(file.path.c_str(), 0664) == 0);
  if (root) REQUIRE(::chown(file.path.c_str(), 4711, 4712) == 0);
  REQUIRE(::unlink(relay.c_str()) == 0);
  file.options.visiting = true;
  file.open();
  struct stat made {};
  REQUIRE(::stat(relay.c_str(), &made) == 0);
  CHECK((made.st_mode & 07777) == 0664);
  if (root) {
    CHECK(made.st_uid == 4711);
    CHECK(made.st_gid == 4712);
  }
  // One that is there is left as it is.
  REQUIRE(::chmod(relay.c_str(), 0600) == 0);
  file.open();
  REQUIRE(::stat(relay.c_str(), &made) == 0);
  CHECK((made.st_mode & 07777) == 0600);
}

TEST_CASE("open: what was open before a fork is refused in the child, what was closed or not open is not") {
  const auto refused_in_child = [](const std::function<void()>& opens) {
    return in_child([&] {
      try {
        opens();
      } catch (const satchel::UsageError& error) {
        return error.hint().find("exec") != std::string::npos ? 1 : 2;
      }
      return 0;
    });
  };
  const File file;
  const auto opens = [&] { file.open()->save(message()); };
  auto store = file.open();
  store->save(message());
  CHECK(refused_in_child(opens) == 1);
  CHECK(refused_in_child([&] { satchel::Inspector{file.path}.report(); }) == 1);
  CHECK(refused_in_child([] { File{}.open()->save(message()); }) == 0);
  store->save(message());
  store.reset();
  CHECK(refused_in_child(opens) == 0);
  CHECK(pending(*file.open()).size() == 3);
}
