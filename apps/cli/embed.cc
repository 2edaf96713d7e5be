// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>

#include "apps/assemble/embedding_session.h"
#include "apps/cli/command.h"
#include "apps/cli/line_reader.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

constexpr size_t kMaxLineBytes = size_t{16} << 20;
// A block is read, embedded and printed before the next: enough texts to fill steps, in bounded
// memory.
constexpr size_t kBlockTexts = 1024;
constexpr size_t kBlockBytes = size_t{4} << 20;

struct EmbedArguments {
  EmbeddingOptions options;
  std::string pooling;
  bool no_normalise = false;
  bool json = false;
};

struct Block {
  std::vector<std::vector<int32_t>> sequences;
  bool last = false;
  std::optional<Error> problem;  // of the line behind these
};

// A JSON string becomes its tokens; an array of token ids is taken as it is.
Result<EncodedText> ReadText(const EmbeddingSession& session, const std::string& line) {
  const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
  if (parsed.is_discarded()) return Error{Status::kInvalid, "not JSON"};
  if (parsed.is_string()) return session.Encode(parsed.get_ref<const std::string&>());
  const Error wrong{Status::kInvalid, "a JSON string, or an array of token ids, is wanted"};
  if (!parsed.is_array()) return wrong;
  EncodedText out;
  for (const nlohmann::json& id : parsed) {
    const int32_t vocabulary = session.session().model().model->Info().vocabulary;
    if (!id.is_number_integer()) return wrong;
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary)) {
      return Error{Status::kInvalid, fmt::format("token id {} is outside the vocabulary of {}",
                                                 id.dump(), vocabulary)};
    }
    out.ids.push_back(id.get<int32_t>());
  }
  if (out.ids.empty()) return Error{Status::kInvalid, "an array without token ids"};
  if (out.ids.size() > static_cast<size_t>(session.MaxTokens())) {
    return Error{Status::kInvalid, fmt::format("{} token ids; at most {} allowed", out.ids.size(),
                                               session.MaxTokens())};
  }
  return out;
}

class Embedding {
 public:
  Embedding(EmbeddingSession& session, bool json) : session_(session), json_(json) {}

  int Run() {
    if (json_ && !Show(Head())) return kFailure;
    for (Block block; !block.last && !block.problem;) {
      block = Read();
      if (!block.sequences.empty()) {
        if (auto printed = Print(block); !printed.ok()) return Report(printed.error());
      }
      if (block.problem) return Report(*block.problem);
    }
    if (json_ && !Show("]}\n")) return kFailure;
    if (cut_ > 0) {
      fmt::print(stderr, "tenon embed: {} of {} texts were cut at {} tokens\n", cut_, texts_,
                 session_.CutTokens());
    }
    return kSuccess;
  }

 private:
  std::string Head() const {
    const nlohmann::json head = {{"model", session_.session().model().model->Info().name},
                                 {"dimensions", session_.embedder().Columns()},
                                 {"pooling", core::Name(session_.pooling())},
                                 {"normalized", session_.normalises()},
                                 {"max_tokens", session_.CutTokens()}};
    std::string text = head.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    text.back() = ',';
    return text + "\"embeddings\":[";
  }

  Block Read() {
    Block block;
    size_t bytes = 0;
    std::string line;
    while (block.sequences.size() < kBlockTexts && bytes < kBlockBytes) {
      // Who waits for an answer before the next text gets it.
      if (!block.sequences.empty() && !reader_.Ready()) break;
      const LineReader::Got got = reader_.Next(&line, interrupt_.Flag());
      if (got == LineReader::Got::kEnd) {
        block.last = true;
        break;
      }
      if (got != LineReader::Got::kLine) {
        block.problem = ErrorOf(got);
        break;
      }
      if (line.empty()) continue;
      auto text = ReadText(session_, line);
      if (!text.ok()) {
        block.problem = Error{text.error().status,
                              fmt::format("stdin:{}: {}", reader_.Number(), text.error().message)};
        break;
      }
      bytes += line.size();
      cut_ += text->cut ? 1 : 0;
      block.sequences.push_back(std::move(text->ids));
    }
    return block;
  }

  Error ErrorOf(LineReader::Got got) const {
    if (got == LineReader::Got::kStopped) return {Status::kCancelled, "interrupted"};
    if (got == LineReader::Got::kTooLong) {
      return {Status::kInvalid, fmt::format("stdin:{}: the line is longer than {} MiB",
                                            reader_.Number(), kMaxLineBytes >> 20)};
    }
    return {Status::kIo, fmt::format("stdin: reading failed: {}", std::strerror(errno))};
  }

  Result<void> Print(const Block& block) {
    const auto columns = static_cast<size_t>(session_.embedder().Columns());
    std::vector<float> vectors(block.sequences.size() * columns);
    TENON_RETURN_IF_ERROR(session_.embedder().Embed(block.sequences, vectors, interrupt_.Flag()));
    fmt::memory_buffer out;
    for (size_t i = 0; i < block.sequences.size(); ++i, ++texts_) {
      if (json_ && texts_ > 0) out.push_back(',');
      for (size_t c = 0; c < columns; ++c) {
        fmt::format_to(std::back_inserter(out), "{}{}", c == 0 ? '[' : ',',
                       vectors[i * columns + c]);
      }
      out.push_back(']');
      if (!json_) out.push_back('\n');
    }
    if (!Show(fmt::to_string(out))) {
      return Error{Status::kIo, "standard output: nobody reads it any more"};
    }
    ShowProgress();
    return {};
  }

  void ShowProgress() const {
    if (isatty(STDERR_FILENO) == 0 || isatty(STDOUT_FILENO) != 0) return;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    fmt::print(stderr, "\rembedded {} texts, {:.0f} a second ", texts_,
               static_cast<double>(texts_) / seconds);
  }

  EmbeddingSession& session_;
  const bool json_;
  const InterruptGuard interrupt_;
  LineReader reader_{STDIN_FILENO, kMaxLineBytes};
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  int64_t texts_ = 0;
  int64_t cut_ = 0;
};

int Embed(const EmbedArguments& arguments) {
  auto session = EmbeddingSession::Open(arguments.options);
  if (!session.ok()) return Report(session.error());
  return Embedding(**session, arguments.json).Run();
}

}  // namespace

void AddEmbed(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<EmbedArguments>();
  CLI::App* command = app.add_subcommand(
      "embed",
      "texts to vectors: stdin has one JSON string (or array of token ids) a line, stdout one JSON "
      "array a line");
  EmbeddingOptions& options = arguments->options;
  AddPipelineArguments(*command, options.session);
  const std::map<std::string, core::Pooling> names = {{"mean", core::Pooling::kMean},
                                                      {"max", core::Pooling::kMax},
                                                      {"cls", core::Pooling::kFirst},
                                                      {"last", core::Pooling::kLast}};
  command
      ->add_option("--pooling", arguments->pooling,
                   "how a text's tokens become one vector (default: as the model's files say; mean "
                   "of an encoder, last of others)")
      ->check(CLI::IsMember({"mean", "max", "cls", "last"}));
  command->add_flag("--no-normalize", arguments->no_normalise, "leave vectors at their length");
  command
      ->add_option("--max-tokens", options.max_tokens,
                   "cut texts to this many tokens (default: as the model's files say)")
      ->check(CLI::Range(1, INT32_MAX));
  command->add_flag("--json", arguments->json, "one JSON document");
  command->callback([arguments, names, &exit_code] {
    EmbeddingOptions& given = arguments->options;
    if (!arguments->pooling.empty()) given.pooling = names.at(arguments->pooling);
    if (arguments->no_normalise) given.normalise = false;
    given.session.progress = isatty(STDERR_FILENO) != 0;
    exit_code = Embed(*arguments);
  });
}

}  // namespace tenon::apps
