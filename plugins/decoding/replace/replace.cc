// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/replace/replace.h"

#include <new>
#include <string_view>

namespace tenon::decoding {

class Replace::Stream final : public TextFilter {
 public:
  explicit Stream(const Replace& rule) : rule_(rule) {}

  // What is held back is always a prefix of `find`, so that its length says it all.
  void Feed(Str text, TextSink& out) noexcept override {
    const std::string_view find = rule_.find_;
    const std::string_view piece(text.data, text.size);
    if (find.empty()) return Give(piece, out);
    size_t plain = 0;  // where the bytes begin that are in no match and not given out yet
    for (size_t at = 0; at < piece.size() && !blocked_; ++at) {
      while (held_ > 0 && find[held_] != piece[at]) {
        const size_t border = rule_.border_[held_ - 1];
        Give(find.substr(0, held_ - border), out);
        held_ = border;
      }
      if (find[held_] != piece[at]) continue;
      if (held_ == 0) Give(piece.substr(plain, at - plain), out);
      plain = at + 1;
      if (++held_ < find.size()) continue;
      held_ = 0;
      blocked_ = rule_.block_;
      if (!blocked_) Give(rule_.with_, out);
    }
    if (!blocked_) Give(piece.substr(plain), out);
  }

  void Finish(TextSink& out) noexcept override {
    if (!blocked_) Give(std::string_view(rule_.find_).substr(0, held_), out);
    held_ = 0;
  }

  bool Blocked() const noexcept override { return blocked_; }

 private:
  static void Give(std::string_view text, TextSink& out) {
    if (!text.empty()) out.Append({text.data(), text.size()});
  }

  const Replace& rule_;
  size_t held_ = 0;
  bool blocked_ = false;
};

Replace::Replace(const CreateArgs& args)
    : find_(std::string_view(args.options.Text("find"))),
      with_(std::string_view(args.options.Text("with"))),
      block_(args.options.Bool("block")),
      border_(find_.size()) {
  for (size_t at = 1, border = 0; at < find_.size(); ++at) {
    while (border > 0 && find_[border] != find_[at]) border = border_[border - 1];
    if (find_[border] == find_[at]) ++border;
    border_[at] = border;
  }
}

TextFilter* Replace::Begin() noexcept { return new (std::nothrow) Stream(*this); }

void Replace::End(TextFilter* filter) noexcept { delete static_cast<Stream*>(filter); }

}  // namespace tenon::decoding
