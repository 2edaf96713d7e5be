// SPDX-License-Identifier: Apache-2.0
#include "apps/scaffold/project.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "apps/scaffold/template_files.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

namespace fs = std::filesystem;
using Replacements = std::vector<std::pair<std::string, std::string>>;

std::string Replaced(std::string_view text, const Replacements& replacements) {
  std::string out(text);
  for (const auto& [from, to] : replacements) {
    for (size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size())) {
      out.replace(at, from.size(), to);
    }
  }
  return out;
}

Error Refused(const fs::path& path, const char* what, int error) {
  return {Status::kIo, fmt::format("{}: {}: {}; nothing was written", path.string(), what,
                                   std::strerror(error))};
}

// What was made so far. Removed, the last first, unless kept.
class Made {
 public:
  Made() = default;
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  ~Made() {
    std::error_code ignored;
    for (auto path = paths_.rbegin(); path != paths_.rend(); ++path) fs::remove(*path, ignored);
  }

  void Keep() { paths_.clear(); }

  Result<void> Folder(const fs::path& folder) {
    std::vector<fs::path> missing;
    std::error_code problem;
    for (fs::path at = folder; !at.empty() && !fs::exists(at, problem) && !problem;
         at = at.parent_path()) {
      missing.push_back(at);
    }
    for (auto path = missing.rbegin(); path != missing.rend(); ++path) {
      if (fs::create_directory(*path, problem)) paths_.push_back(*path);
      if (problem) return Refused(*path, "the folder cannot be made", problem.value());
    }
    if (problem) return Refused(folder, "the folder cannot be made", problem.value());
    if (fs::is_directory(folder, problem)) return {};
    return Refused(folder, "the folder cannot be made", ENOTDIR);
  }

  Result<void> File(const fs::path& path, const std::string& text) {
    const mode_t mode = path.extension() == ".sh" ? 0777 : 0666;
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) return Refused(path, "cannot be written", errno);
    paths_.push_back(path);
    size_t done = 0;
    int error = 0;
    while (done < text.size() && error == 0) {
      const ssize_t wrote = write(file, text.data() + done, text.size() - done);
      if (wrote >= 0) done += static_cast<size_t>(wrote);
      if (wrote < 0 && errno != EINTR) error = errno;
    }
    if (close(file) != 0 && error == 0) error = errno;
    return error == 0 ? Result<void>() : Refused(path, "cannot be written", error);
  }

 private:
  std::vector<fs::path> paths_;
};

}  // namespace

std::vector<std::string> ScaffoldFamilies() {
  std::vector<std::string> families;
  for (const TemplateFile& file : TemplateFiles()) {
    if (families.empty() || families.back() != file.family) families.emplace_back(file.family);
  }
  return families;
}

std::vector<ProjectFile> MakeProject(std::string_view family, const PluginName& name) {
  const Replacements replacements = {
      {"@NAME@", name.Full()},
      {"@VENDOR@", name.vendor},
      {"@SHORT@", name.technique},
      {"@CLASS@", name.ClassName()},
      {"@TARGET@", name.Target()},
      {"@ID@", fmt::format("{}.{}.{}", name.vendor, family, name.technique)}};
  std::vector<ProjectFile> files;
  for (const TemplateFile& file : TemplateFiles()) {
    if (file.family != family) continue;
    files.push_back({Replaced(file.path, replacements), Replaced(file.text, replacements)});
  }
  return files;
}

Result<void> WriteProject(const std::vector<ProjectFile>& files, const fs::path& folder) {
  for (const ProjectFile& file : files) {
    std::error_code missing;
    const fs::path path = folder / file.path;
    if (fs::symlink_status(path, missing).type() > fs::file_type::not_found) {
      return Error{
          Status::kInvalid,
          fmt::format("{} is there already; nothing was written. Choose another folder with "
                      "--dir",
                      path.string())};
    }
  }
  Made made;
  TENON_RETURN_IF_ERROR(made.Folder(folder));
  for (const ProjectFile& file : files) {
    TENON_RETURN_IF_ERROR(made.File(folder / file.path, file.text));
  }
  made.Keep();
  return {};
}

}  // namespace tenon::apps
