// SPDX-License-Identifier: Apache-2.0
#include "text/sentencepiece_file.h"

#include <cmath>
#include <cstring>

#include "text/character_map.h"
#include "text/utf8.h"

namespace tenon::text {
namespace {

// What the library writes anew from its parts, one call deep for each of them.
constexpr size_t kMaxUnusedBytes = 256;

// One field of a message.
struct Field {
  uint64_t number = 0;
  std::string_view bytes;  // of a length-delimited field
  uint64_t value = 0;      // of the others
};

// Walks the fields of one message.
class Message {
 public:
  explicit Message(std::string_view bytes) : left_(bytes) {}

  // False at the end, and where the bytes are no message: then bad() is set.
  bool Next(Field* field) {
    if (left_.empty()) return false;
    uint64_t key = 0;
    *field = {};
    bad_ = !Varint(&key) || key >> 3 == 0 || !Value(key & 7, field);
    field->number = key >> 3;
    return !bad_;
  }
  bool bad() const { return bad_; }

 private:
  bool Varint(uint64_t* value) {
    for (size_t i = 0; i < 10 && i < left_.size(); ++i) {
      const auto byte = static_cast<uint8_t>(left_[i]);
      *value |= uint64_t{byte & 0x7Fu} << 7 * i;
      if (byte >= 0x80) continue;
      left_.remove_prefix(i + 1);
      return true;
    }
    return false;
  }
  bool Fixed(size_t bytes, uint64_t* value) {
    if (left_.size() < bytes) return false;
    std::memcpy(value, left_.data(), bytes);
    left_.remove_prefix(bytes);
    return true;
  }
  bool Value(uint64_t wire_type, Field* field) {
    if (wire_type == 0) return Varint(&field->value);
    if (wire_type == 1) return Fixed(8, &field->value);
    if (wire_type == 5) return Fixed(4, &field->value);
    uint64_t size = 0;
    if (wire_type != 2 || !Varint(&size) || size > left_.size()) return false;
    field->bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }

  std::string_view left_;
  bool bad_ = false;
};

// Reads the model into `out`.
class Reader {
 public:
  Reader(const std::string& name, SentencePieceFile* out) : name_(name), out_(out) {}

  Result<void> Read(std::string_view bytes) {
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.number == 1) TENON_RETURN_IF_ERROR(ReadPiece(field.bytes));
      if (field.number == 2) TENON_RETURN_IF_ERROR(ReadTrainer(field.bytes));
      if (field.number == 3) TENON_RETURN_IF_ERROR(ReadNormalizer(field.bytes, true));
      if (field.number == 5) TENON_RETURN_IF_ERROR(ReadNormalizer(field.bytes, false));
    }
    if (message.bad() || out_->pieces.empty()) return Invalid("not a SentencePiece model");
    return {};
  }

 private:
  Error Invalid(const std::string& what) const {
    return {Status::kInvalid, name_ + ": " + what + "; the model file is damaged"};
  }

  Result<void> ReadPiece(std::string_view bytes) {
    const std::string which = "piece " + std::to_string(out_->pieces.size());
    if (out_->pieces.size() >= kMaxTokens) {
      return Invalid("more than " + std::to_string(kMaxTokens) + " pieces");
    }
    std::string text;
    float score = 0;
    uint64_t type = 1;
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.number == 1) text = field.bytes;
      if (field.number == 2) std::memcpy(&score, &field.value, sizeof(score));
      if (field.number == 3) type = field.value;
    }
    if (message.bad()) return Invalid(which + " cannot be read");
    const size_t most = type == 5 ? kMaxUnusedBytes : kMaxTokenBytes;
    if (text.empty() || text.size() > most) {
      return Invalid(which + " has " + std::to_string(text.size()) + " bytes, 1 to " +
                     std::to_string(most) + " allowed");
    }
    if (ValidUtf8Prefix(text) != text.size() || text.find('\0') != std::string::npos) {
      return Invalid(which + " is not UTF-8 without zero bytes");
    }
    if (!std::isfinite(score)) return Invalid("the score of " + which + " is not a finite number");
    if (type < 1 || type > 6) {
      return Invalid(which + " has type " + std::to_string(type) + ", 1 to 6 allowed");
    }
    out_->pieces.push_back(std::move(text));
    out_->scores.push_back(score);
    out_->types.push_back(static_cast<TokenType>(type));
    return {};
  }

  Result<void> ReadTrainer(std::string_view bytes) {
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.number == 3 && field.value != 1 && field.value != 2) {
        return Error{Status::kUnsupported, name_ + ": model type " + std::to_string(field.value) +
                                               " is not supported; 1 (Unigram) and 2 (BPE) are"};
      }
      if (field.number == 24 && field.value != 0) {
        return Error{Status::kUnsupported, name_ + ": spaces as suffixes are not supported"};
      }
      if (field.number == 35) out_->byte_fallback = field.value != 0;
    }
    return message.bad() ? Result<void>(Invalid("its trainer's settings cannot be read"))
                         : Result<void>();
  }

  // Of text on the way in, or back out.
  Result<void> ReadNormalizer(std::string_view bytes, bool in) {
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.number == 2) {
        const std::string problem = CheckCharacterMap(field.bytes);
        if (!problem.empty()) return Invalid("character map: " + problem);
        if (!in && !field.bytes.empty()) {
          return Error{Status::kUnsupported, name_ + ": a denormalizer is not supported"};
        }
      }
      if (in && field.number == 3) out_->add_dummy_prefix = field.value != 0;
      if (in && field.number == 4) out_->remove_extra_spaces = field.value != 0;
    }
    return message.bad() ? Result<void>(Invalid("its normalizer's settings cannot be read"))
                         : Result<void>();
  }

  const std::string& name_;
  SentencePieceFile* out_;
};

}  // namespace

Result<SentencePieceFile> ParseSentencePieceFile(std::string_view bytes, const std::string& name) {
  SentencePieceFile file;
  TENON_RETURN_IF_ERROR(Reader(name, &file).Read(bytes));
  return file;
}

}  // namespace tenon::text
