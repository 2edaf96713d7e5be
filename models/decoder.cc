// SPDX-License-Identifier: Apache-2.0
#include "models/decoder.h"

#include <string>
#include <utility>

#include "fmt/format.h"
#include "models/adapter_targets.h"
#include "models/decoder_emission.h"
#include "models/decoder_tensors.h"

namespace tenon::models {
namespace {

constexpr int64_t kMostVocabulary = 1 << 24;

// "a llama of 2 layers, 8 columns, 2 heads of 4, 1 KV heads, 16 feed-forward columns"
std::string Sizes(const DecoderSpec& spec) {
  const LatentSpec& latent = spec.latent;
  std::string out = fmt::format("a {} of {} layers, {} columns, {} heads of ", spec.architecture,
                                spec.layers.size(), spec.hidden, spec.heads);
  out += latent.rank > 0 ? fmt::format("{} + {}, latent rows of {}", latent.nope_dim,
                                       latent.rope_dim, latent.rank)
                         : fmt::format("{}, {} KV heads", spec.head_dim, spec.kv_heads);
  if (spec.ffn > 0) out += fmt::format(", {} feed-forward columns", spec.ffn);
  if (spec.experts.route.experts > 0) {
    out += fmt::format(", {} experts of {}", spec.experts.route.experts, spec.experts.ffn);
  }
  return out;
}

class DecoderModel final : public StoredModel {
 public:
  DecoderModel(DecoderSpec spec, ModelFiles files)
      : spec_(std::move(spec)),
        files_(std::move(files)),
        binder_(*files_.tensors, files_.scale_block) {}

  Result<void> Bind() {
    tensors_ = BindTensors(spec_, binder_);
    TENON_RETURN_IF_ERROR(binder_.Check(Sizes(spec_)));
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
  std::optional<AdapterTarget> FindAdapterTarget(std::string_view module) const override {
    return FindDecoderTarget(spec_, files_, module);
  }
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
