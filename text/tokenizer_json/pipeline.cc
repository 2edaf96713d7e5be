// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/pipeline.h"

#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

// What is found in a text as it is, and in a normalised one.
struct Finders {
  AddedTokenFinder raw, normal;
};

class Pipeline final : public TextEncoder {
 public:
  explicit Pipeline(PipelineSteps steps) : steps_(std::move(steps)) {
    for (const bool with_special : {false, true}) {
      std::vector<std::string> contents;
      for (const AddedToken& token : steps_.added) contents.push_back(token.content);
      finders_[with_special] = {
          AddedTokenFinder(steps_.added, contents, false, with_special),
          AddedTokenFinder(steps_.added, steps_.normal_texts, true, with_special)};
    }
  }

  Result<void> Encode(std::string_view text, bool parse_special,
                      std::vector<int32_t>* ids) const override {
    std::string repaired;
    if (ValidUtf8Prefix(text) != text.size()) {
      AppendReplacingInvalid(text, &repaired);
      text = repaired;
    }
    Work work{steps_.model->Start(), {}, {}};
    std::vector<AddedTokenFinder::Part> parts;
    finders_[parse_special].raw.Cut(text, &parts);
    for (const auto& part : parts) {
      if (part.id >= 0) {
        ids->push_back(part.id);
      } else {
        TENON_RETURN_IF_ERROR(EncodeStretch(text.substr(part.begin, part.end - part.begin),
                                            part.begin == 0, parse_special, &work, ids));
      }
    }
    return {};
  }

 private:
  // Memory of one text.
  struct Work {
    std::unique_ptr<Model::Run> run;
    Pieces pieces;
    std::vector<AddedTokenFinder::Part> parts;
  };

  Result<void> EncodeStretch(std::string_view text, bool first, bool parse_special, Work* work,
                             std::vector<int32_t>* ids) const {
    std::string normal(text);
    if (steps_.normalizer != nullptr) TENON_RETURN_IF_ERROR(steps_.normalizer->Run(&normal));
    if (normal.size() > kMaxNormalBytes) return NormalTextTooLong();
    const AddedTokenFinder& finder = finders_[parse_special].normal;
    if (finder.empty()) return EncodeWords(std::move(normal), first, work, ids);
    work->parts.clear();
    finder.Cut(normal, &work->parts);
    for (const auto& part : work->parts) {
      if (part.id >= 0) {
        ids->push_back(part.id);
      } else {
        TENON_RETURN_IF_ERROR(EncodeWords(normal.substr(part.begin, part.end - part.begin),
                                          first && part.begin == 0, work, ids));
      }
    }
    return {};
  }

  Result<void> EncodeWords(std::string&& text, bool first, Work* work,
                           std::vector<int32_t>* ids) const {
    Pieces& pieces = work->pieces;
    pieces.Reset(std::move(text), first);
    if (steps_.pre_tokenizer != nullptr) TENON_RETURN_IF_ERROR(steps_.pre_tokenizer->Run(&pieces));
    for (size_t i = 0; i < pieces.list.size(); ++i) {
      TENON_RETURN_IF_ERROR(work->run->Append(pieces.At(i), ids));
    }
    return {};
  }

  PipelineSteps steps_;
  Finders finders_[2];  // [with special tokens]
};

}  // namespace

std::unique_ptr<const TextEncoder> MakePipeline(PipelineSteps steps) {
  return std::make_unique<Pipeline>(std::move(steps));
}

}  // namespace tenon::text::tokenizer_json
