// Files read and written whole, on POSIX calls, so that every failure keeps its errno and its text.
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/check.h"
#include "base/interrupt.h"
#include "base/output_folder.h"
#include "base/text.h"

namespace nibble {
namespace fs = std::filesystem;
namespace {

constexpr const char* kMarkerName = ".nibble";
constexpr std::string_view kMarkerTitle =
    "# Written by nibble, which replaces this folder as long as it holds exactly these files.\n";

std::string advice(int error) {
  switch (error) {
    case ENOENT:
      return "check the path";
    case ENOTDIR:
      return "a part of the path is a file, not a directory; check the path";
    case EACCES:
    case EPERM:
      return "check the permissions, or choose another place";
    case EROFS:
      return "choose another place";
    case ENOSPC:
    case EDQUOT:
      return "free some space, or choose another place";
    case EFBIG:
      return "raise the limit on file sizes (ulimit -f)";
    case EMFILE:
    case ENFILE:
      return "raise the limit on open files (ulimit -n)";
    case ENAMETOOLONG:
      return "choose a shorter name";
    default:
      return "";
  }
}

// "cannot write 'a/b': No space left on device; free some space"
Error file_error(std::string_view what, const fs::path& path, int error) {
  std::string text = fmt::format("cannot {} '{}': {}", what, path.string(),
                                 std::error_code(error, std::generic_category()).message());
  if (std::string more = advice(error); !more.empty()) text += "; " + more;
  return input_error(text);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int close() {
    int fd = fd_;
    fd_ = -1;
    return fd >= 0 ? ::close(fd) : 0;
  }

 private:
  int fd_;
};

Error too_large(const fs::path& path, uint64_t max_bytes) {
  return input_error(fmt::format("cannot read '{}': it is larger than {}, the most that is read",
                                 path.string(), human_bytes(static_cast<int64_t>(max_bytes))));
}

// Grows by what really arrives: the size that a pipe or a file in /proc states means nothing.
template <class Container>
Status read_into(const fs::path& path, uint64_t max_bytes, Container& content) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return file_error("read", path, errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return file_error("read", path, errno);
  if (S_ISDIR(info.st_mode))
    return input_error(
        fmt::format("cannot read '{}': it is a directory; name a file", path.string()));
  auto stated = static_cast<uint64_t>(std::max<off_t>(info.st_size, 0));
  if (stated > max_bytes) return too_large(path, max_bytes);
  constexpr size_t kStep = 1 << 16;
  size_t filled = 0;
  content.resize(std::max<size_t>(stated, kStep) + 1);
  for (;;) {
    ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path, errno);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    if (filled > max_bytes) return too_large(path, max_bytes);
    if (filled == content.size()) content.resize(filled * 2);
  }
  content.resize(filled);
  return {};
}

// A name beside `path` that no other process and no other thread of this one uses.
fs::path name_beside(const fs::path& path) {
  static std::atomic<unsigned> count = 0;
  return path.parent_path() /
         fmt::format(".{}.{}-{}.tmp", path.filename().string().substr(0, 200), getpid(), ++count);
}

Status write_all(Descriptor& file, const fs::path& path, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  // Some file systems (quotas, NFS) report a full disk only here; pipes and terminals cannot flush.
  if (fsync(file.get()) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
    return file_error("write", path, errno);
  if (file.close() != 0) return file_error("write", path, errno);
  return {};
}

Status check_parent(const fs::path& path) {
  fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  struct stat info {};
  bool exists = stat(parent.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return {};
  if (exists)
    return input_error(fmt::format("cannot write '{}': '{}' is a file, not a directory",
                                   path.string(), parent.string()));
  return input_error(fmt::format("cannot write '{}': there is no directory '{}'; create it first",
                                 path.string(), parent.string()));
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// FNV-1a, 64 bits: enough to notice that somebody edited a file.
uint64_t content_hash(std::span<const uint8_t> bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

std::string hash_text(std::span<const uint8_t> bytes) {
  return fmt::format("{:016x}", content_hash(bytes));
}

// Hash by relative path of every file below `dir` but the marker. Anything that is neither file nor
// directory counts as an unknown file.
Result<std::map<std::string, std::string>> list_files(const fs::path& dir) {
  std::map<std::string, std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator it(dir, error), end;
  for (; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) continue;
    std::string name = it->path().lexically_relative(dir).generic_string();
    if (name == kMarkerName) continue;
    if (!it->is_regular_file(ignored) || it->is_symlink(ignored)) {
      files[name] = "special";
      continue;
    }
    NIBBLE_ASSIGN(auto content, read_file(it->path()));
    files[name] = hash_text(content);
  }
  if (error) return file_error("read", dir, error.value());
  return files;
}

Status write_marker(const fs::path& dir, const std::map<std::string, std::string>& files) {
  std::string text(kMarkerTitle);
  for (const auto& [name, hash] : files) text += hash + ' ' + name + '\n';
  return write_text_file(dir / kMarkerName, text);
}

// Hash by relative path of the files that a marker names.
std::map<std::string, std::string> marked_files(const std::string& marker) {
  std::map<std::string, std::string> files;
  for (const std::string& line : split(marker, '\n'))
    if (size_t space = line.find(' '); space != std::string::npos && line[0] != '#')
      files[line.substr(space + 1)] = line.substr(0, space);
  return files;
}

// Whether everything in the directory at `path` is nibble's own, unchanged.
Status check_replaceable(const fs::path& path) {
  constexpr std::string_view kAdvice = "move it away, or choose another directory";
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return file_error("write", path, errno);
  if (!S_ISDIR(info.st_mode))
    return input_error(
        fmt::format("cannot write the directory '{}': a file of that name is there; {}",
                    path.string(), kAdvice));
  std::error_code error;
  bool empty = fs::is_empty(path, error);
  if (error) return file_error("read", path, error.value());
  if (empty) return {};
  fs::path marker = path / kMarkerName;
  if (!fs::exists(marker, error))
    return input_error(fmt::format(
        "cannot replace the directory '{}': it holds files that nibble did not write; {}",
        path.string(), kAdvice));
  NIBBLE_ASSIGN(std::string text, read_text_file(marker));
  const std::map<std::string, std::string> known = marked_files(text);
  NIBBLE_ASSIGN(auto present, list_files(path));
  for (const auto& [name, hash] : present) {
    auto entry = known.find(name);
    if (entry != known.end() && entry->second == hash) continue;
    return input_error(fmt::format(
        "cannot replace the directory '{}': '{}' {}; {}", path.string(), name,
        entry == known.end() ? "was not written by nibble" : "was changed after nibble wrote it",
        kAdvice));
  }
  return {};
}

// Puts `fresh` in the place of `path`; what was there ends up removed.
Status swap_directories(const fs::path& fresh, const fs::path& path) {
  std::error_code ignored;
  if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(fresh, ignored);
    return {};
  }
  // File systems without exchange: a short moment without any directory.
  fs::path old = name_beside(path);
  if (rename(path.c_str(), old.c_str()) != 0) return file_error("replace", path, errno);
  if (rename(fresh.c_str(), path.c_str()) != 0) {
    int error = errno;
    if (rename(old.c_str(), path.c_str()) != 0)
      return input_error(fmt::format("cannot replace '{}': {}; its former content is now in '{}'",
                                     path.string(), std::generic_category().message(error),
                                     old.string()));
    return file_error("replace", path, error);
  }
  fs::remove_all(old, ignored);
  return {};
}

Status fill_and_place(const fs::path& fresh, const fs::path& path,
                      const std::function<Status(const fs::path& dir)>& fill) {
  NIBBLE_TRY(fill(fresh));
  NIBBLE_ASSIGN(auto files, list_files(fresh));
  NIBBLE_TRY(write_marker(fresh, files));
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (rename(fresh.c_str(), path.c_str()) != 0) return file_error("write", path, errno);
    return {};
  }
  // Looked at again: filling may have taken minutes.
  NIBBLE_TRY(check_replaceable(path));
  return swap_directories(fresh, path);
}

}  // namespace

Result<std::vector<uint8_t>> read_file(const fs::path& path, uint64_t max_bytes) {
  std::vector<uint8_t> content;
  NIBBLE_TRY(read_into(path, max_bytes, content));
  return content;
}

Result<std::string> read_text_file(const fs::path& path) {
  std::string content;
  NIBBLE_TRY(read_into(path, uint64_t{4} << 30, content));
  return content;
}

Status write_file(const fs::path& wanted, std::span<const uint8_t> bytes) {
  NIBBLE_TRY(check_parent(wanted));
  fs::path path = wanted;
  struct stat info {};
  bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return input_error(fmt::format(
        "cannot write '{}': a directory of that name is there; name a file", path.string()));
  if (exists && !S_ISREG(info.st_mode)) {
    // A device or pipe (/dev/stdout) takes the bytes; a rename would replace the device itself.
    Descriptor device(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!device.is_open()) return file_error("write", path, errno);
    return write_all(device, path, bytes);
  }
  std::error_code error;
  // A link stays a link: what it points to is replaced.
  if (fs::is_symlink(path, error)) {
    fs::path target = fs::weakly_canonical(path, error);
    if (!error) path = target;
  }
  fs::path fresh = name_beside(path);
  RemovedWhenInterrupted half_written(fresh);
  Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open()) return file_error("write", path, errno);
  Status status = write_all(file, path, bytes);
  if (status.ok() && exists && fchmodat(AT_FDCWD, fresh.c_str(), info.st_mode & 07777, 0) != 0)
    status = file_error("write", path, errno);
  if (status.ok() && rename(fresh.c_str(), path.c_str()) != 0)
    status = file_error("write", path, errno);
  if (!status.ok()) unlink(fresh.c_str());
  return status;
}

Status write_text_file(const fs::path& path, std::string_view text) {
  return write_file(path, bytes_of(text));
}

Status write_into_output(const fs::path& path, std::string_view text) {
  NIBBLE_TRY(write_text_file(path, text));
  const fs::path dir = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  if (!fs::is_regular_file(dir / kMarkerName, error) || !fs::is_regular_file(path, error))
    return {};
  NIBBLE_ASSIGN(std::string marker, read_text_file(dir / kMarkerName));
  if (!marker.starts_with(kMarkerTitle)) return {};
  std::map<std::string, std::string> files = marked_files(marker);
  files[path.filename().generic_string()] = hash_text(bytes_of(text));
  return write_marker(dir, files);
}

namespace {

// The directory's true name. Error: an output cannot stand there.
Result<fs::path> writable_directory(const fs::path& wanted) {
  std::error_code error;
  // "out/", "." and links name the directory they lead to.
  fs::path path = fs::weakly_canonical(fs::absolute(wanted, error), error);
  if (error) return file_error("write", wanted, error.value());
  if (!path.has_filename()) path = path.parent_path();
  if (!path.has_filename())
    return input_error(fmt::format("cannot write the directory '{}'; name a directory of its own",
                                   wanted.string()));
  if (fs::exists(path, error)) NIBBLE_TRY(check_replaceable(path));
  return path;
}

}  // namespace

Status check_directory(const fs::path& wanted) {
  NIBBLE_ASSIGN([[maybe_unused]] fs::path unused, writable_directory(wanted));
  return {};
}

Status write_directory(const fs::path& wanted,
                       const std::function<Status(const fs::path& dir)>& fill) {
  NIBBLE_ASSIGN(fs::path path, writable_directory(wanted));
  NIBBLE_TRY(check_parent(path));
  std::error_code error;
  fs::path fresh = name_beside(path);
  RemovedWhenInterrupted half_written(fresh);
  if (mkdir(fresh.c_str(), 0777) != 0) return file_error("write", path, errno);
  Status status = fill_and_place(fresh, path, fill);
  if (!status.ok()) fs::remove_all(fresh, error);
  return status;
}

Result<TempDir> TempDir::create() {
  std::error_code error;
  fs::path parent = fs::temp_directory_path(error);
  if (error)
    return input_error(fmt::format(
        "there is no directory for temporary files: {}; set TMPDIR to a directory you can write to",
        error.message()));
  std::string pattern = (parent / "nibble-XXXXXX").string();
  if (!mkdtemp(pattern.data())) return file_error("create a directory in", parent, errno);
  remove_when_interrupted(pattern);
  return TempDir(pattern);
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)), kept_(other.kept_) {
  other.path_.clear();
}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(kept_, other.kept_);
  return *this;
}

void TempDir::keep() {
  kept_ = true;
  keep_when_interrupted(path_);
}

TempDir::~TempDir() {
  if (path_.empty() || kept_) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  keep_when_interrupted(path_);
}

}  // namespace nibble
