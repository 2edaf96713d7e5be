// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "models/stored_model.h"
#include "tenon/result.h"

namespace tenon::models {

// Encoders of BERT's shape. Each takes opened files whose architecture it is.
// Devlin et al. 2018, "BERT"; GGUF files of this architecture hold RoBERTa's relatives as well.
Result<std::unique_ptr<StoredModel>> OpenBert(ModelFiles files);
// Liu et al. 2019, "RoBERTa"; Conneau et al. 2019, "XLM-R": positions start behind the padding's.
Result<std::unique_ptr<StoredModel>> OpenRoberta(ModelFiles files);
// Sanh et al. 2019, "DistilBERT": no token types, keys of its own.
Result<std::unique_ptr<StoredModel>> OpenDistilBert(ModelFiles files);

}  // namespace tenon::models
