// SPDX-License-Identifier: Apache-2.0
#include "models/decoder.h"

#include <string>
#include <utility>

#include "fmt/format.h"
#include "models/decoder_emission.h"
#include "models/decoder_tensors.h"

namespace tenon::models {
namespace {

constexpr int64_t kMostVocabulary = 1 << 24;

class DecoderModel final : public StoredModel {
 public:
  DecoderModel(DecoderSpec spec, ModelFiles files)
      : spec_(std::move(spec)), files_(std::move(files)), binder_(*files_.tensors) {}

  Result<void> Bind() {
    tensors_ = BindTensors(spec_, binder_);
    TENON_RETURN_IF_ERROR(binder_.Check(fmt::format(
        "a {} of {} layers, {} columns, {} heads of {}, {} KV heads, {} feed-forward columns",
        spec_.architecture, spec_.layers.size(), spec_.hidden, spec_.heads, spec_.head_dim,
        spec_.kv_heads, spec_.ffn)));
    if (tensors_.embedding.tensor.rows > kMostVocabulary) {
      return Error{
          Status::kInvalid,
          fmt::format("{}: the embedding has {} rows; at most {} allowed", files_.tensors->Path(),
                      tensors_.embedding.tensor.rows, kMostVocabulary)};
    }
    spec_.vocabulary = static_cast<int32_t>(tensors_.embedding.tensor.rows);
    info_.architecture = spec_.architecture;
    info_.name = files_.name;
    info_.vocabulary = spec_.vocabulary;
    info_.hidden = spec_.hidden;
    info_.layers = static_cast<int32_t>(spec_.layers.size());
    info_.max_context = spec_.max_context;
    info_.parameters = binder_.TakenValues();
    info_.stored_bytes = binder_.TakenBytes();
    return {};
  }

  const ModelInfo& Info() const override { return info_; }
  const TokenizerSource& Tokens() const override { return files_.tokens; }
  Result<ModelOutputs> Emit(ProgramEditor& program) const override {
    return EmitDecoder(spec_, tensors_, program);
  }
  Result<ModelOutputs> EmitHidden(ProgramEditor& program) const override {
    return EmitDecoderHidden(spec_, tensors_, program);
  }

 private:
  DecoderSpec spec_;
  ModelFiles files_;
  TensorBinder binder_;
  DecoderTensors tensors_;
  ModelInfo info_;
};

}  // namespace

Result<std::unique_ptr<StoredModel>> MakeDecoder(DecoderSpec spec, ModelFiles files) {
  auto model = std::make_unique<DecoderModel>(std::move(spec), std::move(files));
  TENON_RETURN_IF_ERROR(model->Bind());
  return std::unique_ptr<StoredModel>(std::move(model));
}

}  // namespace tenon::models
