// Whole or nothing: every way in which a write can fail leaves what was there before.
#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/output_folder.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TempDir temp_dir() { return std::move(TempDir::create()).value(); }

size_t entries(const fs::path& dir) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(dir), {}));
}

// Limits the size of files for the life of the object: a full disk on any machine.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallFiles() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(File, RoundTrip) {
  TempDir dir = temp_dir();
  fs::path path = dir.path() / "data.bin";
  std::vector<uint8_t> bytes(300000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  ASSERT_TRUE(write_file(path, bytes).ok());
  EXPECT_EQ(*read_file(path), bytes);
  ASSERT_TRUE(write_text_file(path, "").ok());
  EXPECT_EQ(*read_text_file(path), "");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(File, ReadsWhatHasNoStatedSize) {
  EXPECT_GT(read_text_file("/proc/self/status")->size(), 10u);
}

TEST(File, ReadErrorsNameThePath) {
  TempDir dir = temp_dir();
  auto missing = read_file(dir.path() / "none");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message, "cannot read '" + (dir.path() / "none").string() +
                                         "': No such file or directory; check the path");
  EXPECT_THAT(read_file(dir.path()).error().message, HasSubstr("is a directory; name a file"));
  ASSERT_TRUE(write_text_file(dir.path() / "f", "12345").ok());
  EXPECT_THAT(read_file(dir.path() / "f", 4).error().message, HasSubstr("larger than 4 B"));
  EXPECT_TRUE(read_file(dir.path() / "f", 5).ok());
  EXPECT_THAT(read_file("/dev/zero", 100000).error().message, HasSubstr("larger than"));
  EXPECT_THAT(read_file(dir.path() / "f" / "g").error().message, HasSubstr("is a file"));
}

TEST(File, WriteErrorsLeaveNothing) {
  TempDir dir = temp_dir();
  EXPECT_THAT(write_text_file(dir.path() / "no" / "f", "x").error().message,
              HasSubstr("create it first"));
  EXPECT_THAT(write_text_file(dir.path(), "x").error().message,
              HasSubstr("a directory of that name"));
  EXPECT_EQ(entries(dir.path()), 0u);
}

TEST(File, FullDiskKeepsTheFormerContent) {
  TempDir dir = temp_dir();
  fs::path path = dir.path() / "model";
  ASSERT_TRUE(write_text_file(path, "former").ok());
  Status status;
  {
    SmallFiles limit(1000);
    status = write_text_file(path, std::string(5000, 'x'));
  }
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("File too large; raise the limit"));
  EXPECT_EQ(*read_text_file(path), "former");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(File, DeviceIsWrittenNotReplaced) {
  Status status = write_text_file("/dev/full", "x");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message,
            "cannot write '/dev/full': No space left on device; free some space, or choose another "
            "place");
  EXPECT_TRUE(write_text_file("/dev/null", "x").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(File, UnwritableDirectory) {
  if (geteuid() == 0) GTEST_SKIP() << "left out: the superuser may write everywhere";
  TempDir dir = temp_dir();
  fs::permissions(dir.path(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THAT(write_text_file(dir.path() / "f", "x").error().message,
              HasSubstr("check the permissions"));
  fs::permissions(dir.path(), fs::perms::owner_all);
}

TEST(File, KeepsLinksAndPermissions) {
  TempDir dir = temp_dir();
  ASSERT_TRUE(write_text_file(dir.path() / "real", "1").ok());
  fs::permissions(dir.path() / "real", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("real", dir.path() / "link");
  ASSERT_TRUE(write_text_file(dir.path() / "link", "2").ok());
  EXPECT_TRUE(fs::is_symlink(dir.path() / "link"));
  EXPECT_EQ(*read_text_file(dir.path() / "real"), "2");
  struct stat info {};
  stat((dir.path() / "real").c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

Status fill_two(const fs::path& dir) {
  fs::create_directory(dir / "src");
  NIBBLE_TRY(write_text_file(dir / "a.c", "int a;"));
  return write_text_file(dir / "src" / "b.c", "int b;");
}

TEST(Directory, AppearsWhole) {
  TempDir dir = temp_dir();
  fs::path out = dir.path() / "out";
  ASSERT_TRUE(write_directory(out, fill_two).ok());
  EXPECT_EQ(*read_text_file(out / "src" / "b.c"), "int b;");
  EXPECT_TRUE(fs::exists(out / ".nibble"));
  // A trailing slash is the same directory; an earlier output is replaced whole.
  ASSERT_TRUE(write_directory(out / "", [](const fs::path& fresh) {
                return write_text_file(fresh / "c.c", "int c;");
              }).ok());
  EXPECT_TRUE(fs::exists(out / "c.c"));
  EXPECT_FALSE(fs::exists(out / "a.c"));
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(Directory, FailureLeavesTheFormerOne) {
  TempDir dir = temp_dir();
  fs::path out = dir.path() / "out";
  ASSERT_TRUE(write_directory(out, fill_two).ok());
  Status status = write_directory(out, [](const fs::path& fresh) -> Status {
    NIBBLE_TRY(write_text_file(fresh / "half.c", "int"));
    return input_error("no more");
  });
  EXPECT_EQ(status.error().message, "no more");
  EXPECT_TRUE(fs::exists(out / "a.c"));
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(Directory, NeverTakesUserFiles) {
  TempDir dir = temp_dir();
  fs::path out = dir.path() / "out";
  fs::create_directory(out);
  ASSERT_TRUE(write_directory(out, fill_two).ok()) << "an empty directory may be filled";

  std::ofstream(out / "src" / "notes.txt") << "mine";
  EXPECT_THAT(write_directory(out, fill_two).error().message,
              HasSubstr("'src/notes.txt' was not written by nibble; move it away"));
  fs::remove(out / "src" / "notes.txt");
  EXPECT_TRUE(write_directory(out, fill_two).ok());

  std::ofstream(out / "a.c") << "int edited;";
  EXPECT_THAT(write_directory(out, fill_two).error().message,
              HasSubstr("'a.c' was changed after nibble wrote it"));

  fs::path home = dir.path() / "home";
  fs::create_directory(home);
  std::ofstream(home / "thesis.tex") << "mine";
  EXPECT_THAT(write_directory(home, fill_two).error().message,
              HasSubstr("holds files that nibble did not write"));
  EXPECT_TRUE(fs::exists(home / "thesis.tex"));
  EXPECT_THAT(write_directory(home / "thesis.tex", fill_two).error().message,
              HasSubstr("a file of that name"));
  EXPECT_THAT(write_directory("/", fill_two).error().message, HasSubstr("directory of its own"));
}

// What a later verb adds to an output does not keep it from being replaced; what the user adds
// does.
TEST(Directory, TakesAFileThatIsAddedLater) {
  TempDir dir = temp_dir();
  fs::path out = dir.path() / "out";
  ASSERT_TRUE(write_directory(out, fill_two).ok());
  for (const char* text : {"first", "second"}) {
    ASSERT_TRUE(write_into_output(out / "later.html", text).ok());
    EXPECT_EQ(*read_text_file(out / "later.html"), text);
    EXPECT_TRUE(check_directory(out).ok());
  }
  std::ofstream(out / "later.html") << "edited";
  EXPECT_THAT(check_directory(out).error().message,
              HasSubstr("'later.html' was changed after nibble wrote it"));
  ASSERT_TRUE(write_into_output(out / "later.html", "third").ok());
  EXPECT_TRUE(write_directory(out, fill_two).ok());
  EXPECT_FALSE(fs::exists(out / "later.html"));

  // Elsewhere it is a file and no more.
  ASSERT_TRUE(write_into_output(dir.path() / "alone.html", "x").ok());
  EXPECT_EQ(entries(dir.path()), 2u);
  std::ofstream(dir.path() / ".nibble") << "the user's own";
  ASSERT_TRUE(write_into_output(dir.path() / "alone.html", "y").ok());
  EXPECT_EQ(*read_text_file(dir.path() / ".nibble"), "the user's own");
  EXPECT_FALSE(write_into_output(dir.path() / "nowhere" / "a.html", "x").ok());
}

TEST(TempDir, RemovedWithItsContent) {
  fs::path path;
  {
    TempDir dir = temp_dir();
    TempDir moved = std::move(dir);
    path = moved.path();
    ASSERT_TRUE(write_text_file(path / "f", "x").ok());
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace nibble
