// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/model_text.h"

#include <algorithm>

#include "apps/assemble/open_model.h"

namespace tenon::apps::openai {

Result<std::shared_ptr<const ModelText>> ReadModelText(const EngineFacts& facts) {
  auto opened = OpenModel(facts.model_path);
  TENON_RETURN_IF_ERROR(opened);
  OpenedModel& model = **opened;
  if (!model.tokenizer) {
    return Error{Status::kUnsupported, model.path + ": no usable tokenizer (" +
                                           model.tokenizer_problem + "); it cannot be served"};
  }
  const auto known = model.tokenizer->EndOfGeneration();
  std::vector<int32_t> ends(known.begin(), known.end());
  ends.insert(ends.end(), model.more_eos.begin(), model.more_eos.end());
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return std::shared_ptr<const ModelText>(
      new ModelText{std::move(*model.tokenizer), std::move(model.chat_template), std::move(ends)});
}

}  // namespace tenon::apps::openai
