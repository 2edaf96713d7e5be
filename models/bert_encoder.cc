// SPDX-License-Identifier: Apache-2.0
#include "models/bert_encoder.h"

#include <utility>

#include "fmt/format.h"
#include "models/bert_emission.h"
#include "models/bert_tensors.h"

namespace tenon::models {
namespace {

constexpr int64_t kMostVocabulary = 1 << 24;

class EncoderModel final : public StoredModel {
 public:
  EncoderModel(EncoderSpec spec, ModelFiles files)
      : spec_(std::move(spec)), files_(std::move(files)), binder_(*files_.tensors) {}

  Result<void> Bind() {
    tensors_ = BindEncoder(spec_, binder_);
    TENON_RETURN_IF_ERROR(binder_.Check(fmt::format(
        "a {} of {} layers, {} columns, {} heads, {} feed-forward columns, {} positions",
        spec_.architecture, spec_.layers, spec_.hidden, spec_.heads, spec_.ffn,
        spec_.position_rows)));
    if (tensors_.embedding.tensor.rows > kMostVocabulary) {
      return Error{
          Status::kInvalid,
          fmt::format("{}: the embedding has {} rows; at most {} allowed", files_.tensors->Path(),
                      tensors_.embedding.tensor.rows, kMostVocabulary)};
    }
    folded_ = FoldPositions(tensors_);
    info_.architecture = spec_.architecture;
    info_.name = files_.name;
    info_.vocabulary = static_cast<int32_t>(tensors_.embedding.tensor.rows);
    info_.hidden = spec_.hidden;
    info_.layers = spec_.layers;
    info_.max_context = spec_.MaxContext();
    info_.encoder = true;
    info_.parameters = binder_.TakenValues();
    info_.stored_bytes = binder_.TakenBytes();
    return {};
  }

  const ModelInfo& Info() const override { return info_; }
  const TokenizerSource& Tokens() const override { return files_.tokens; }

  Result<ModelOutputs> Emit(ProgramEditor&) const override {
    return Error{Status::kUnsupported,
                 fmt::format("{} is an encoder ({}): it gives embeddings, it does not generate "
                             "text; use `tenon embed`",
                             info_.name, info_.architecture)};
  }

  Result<ModelOutputs> EmitHidden(ProgramEditor& program) const override {
    const Weight positions{tensors_.positions.name,
                           {DType::kF32, folded_.data(), spec_.MaxContext(), spec_.hidden},
                           static_cast<int64_t>(sizeof(float)) * spec_.hidden};
    return EmitEncoder(spec_, tensors_, positions, program);
  }

 private:
  EncoderSpec spec_;
  ModelFiles files_;
  TensorBinder binder_;
  EncoderTensors tensors_;
  std::vector<float> folded_;  // positions and token type in one, f32 [max_context, hidden]
  ModelInfo info_;
};

}  // namespace

Result<std::unique_ptr<StoredModel>> MakeEncoder(EncoderSpec spec, ModelFiles files) {
  auto model = std::make_unique<EncoderModel>(std::move(spec), std::move(files));
  TENON_RETURN_IF_ERROR(model->Bind());
  return std::unique_ptr<StoredModel>(std::move(model));
}

}  // namespace tenon::models
