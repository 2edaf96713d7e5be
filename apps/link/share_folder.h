// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tenon::apps::link {

// A folder in memory where a fleet's workers keep equal weights once (MemorySharing), so that a
// replica, a pipeline that is compared or one that is loaded beside the old needs no second copy.
// It goes with the object; what a process left that was killed goes with the next one's.
class ShareFolder {
 public:
  ShareFolder();
  ~ShareFolder();
  ShareFolder(const ShareFolder&) = delete;
  ShareFolder& operator=(const ShareFolder&) = delete;

  // Empty where the system has no such place.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tenon::apps::link
