// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "apps/cli/command.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

struct TokenizeArguments {
  std::string model;
  bool decode = false;
  bool special = false;
};

Result<std::string> EncodeLine(const text::Tokenizer& tokenizer, const nlohmann::json& line,
                               bool special) {
  if (!line.is_string()) return Error{Status::kInvalid, "a JSON string is wanted"};
  auto ids = tokenizer.Encode(line.get_ref<const std::string&>(), {.parse_special = special});
  TENON_RETURN_IF_ERROR(ids);
  return nlohmann::json(*ids).dump();
}

Result<std::string> DecodeLine(const text::Tokenizer& tokenizer, const nlohmann::json& line) {
  const Error wrong{Status::kInvalid, "a JSON array of token ids is wanted"};
  if (!line.is_array()) return wrong;
  std::vector<int32_t> ids;
  for (const nlohmann::json& id : line) {
    if (!id.is_number_integer()) return wrong;
    // Without a sign, or it is negative: the parser tells the two apart.
    if (!id.is_number_unsigned() ||
        id.get<uint64_t>() >= static_cast<uint64_t>(tokenizer.vocab_size())) {
      return Error{Status::kInvalid, fmt::format("token id {} is outside the vocabulary of {}",
                                                 id.dump(), tokenizer.vocab_size())};
    }
    ids.push_back(id.get<int32_t>());
  }
  return nlohmann::json(tokenizer.Decode(ids))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

int Tokenize(const TokenizeArguments& arguments) {
  auto tokenizer = OpenTokenizer(arguments.model);
  if (!tokenizer.ok()) return Report(tokenizer.error());
  std::string line;
  for (int64_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.empty()) continue;
    const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
    auto out = parsed.is_discarded() ? Result<std::string>(Error{Status::kInvalid, "not JSON"})
               : arguments.decode    ? DecodeLine(*tokenizer, parsed)
                                     : EncodeLine(*tokenizer, parsed, arguments.special);
    if (!out.ok()) {
      return Report({Status::kInvalid, fmt::format("stdin:{}: {}", number, out.error().message)});
    }
    fmt::print("{}\n", *out);
  }
  return kSuccess;
}

}  // namespace

void AddTokenize(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<TokenizeArguments>();
  CLI::App* command = app.add_subcommand(
      "tokenize",
      "text to token ids: stdin has one JSON string a line, stdout one JSON array a line");
  command
      ->add_option("MODEL", arguments->model,
                   "a pulled model's name, a .gguf file or a Hugging Face folder")
      ->required();
  command->add_flag("--decode", arguments->decode, "ids to text: JSON arrays in, JSON strings out");
  command->add_flag("--special", arguments->special,
                    "control tokens written in the text become those tokens");
  command->callback([arguments, &exit_code] { exit_code = Tokenize(*arguments); });
}

}  // namespace tenon::apps
