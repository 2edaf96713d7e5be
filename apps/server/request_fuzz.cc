// SPDX-License-Identifier: Apache-2.0
// From a client's bytes to what would be done with them: head, body, router, gate.
#include <cstdint>
#include <cstdlib>

#include "apps/server/body_reader.h"
#include "apps/server/gate.h"
#include "apps/server/handlers.h"
#include "apps/server/request_peek.h"

namespace tenon::apps::server {
namespace {

constexpr size_t kHeadBytes = 8192;
constexpr uint64_t kBodyBytes = 65536;

// One request at the front of `bytes`; how many of them it took, 0: none that is whole and good.
size_t ReadOne(std::string_view bytes, const Gate& gate) {
  const HeadScan scan = ScanHead(bytes, kHeadBytes);
  if (scan.error || scan.bytes == 0) return 0;
  const std::string_view text = bytes.substr(0, scan.bytes);
  RequestHead head;
  if (ParseHead(text, &head)) return 0;
  // What framing rests on must hold for each head that was let through.
  if (head.Find("host") == nullptr || (head.chunked && head.body_bytes)) std::abort();
  const Verdict verdict = gate.Judge(head, {true, false});
  if (verdict.refusal || !head.HasBody()) return scan.bytes;
  BodyReader body(text, kBodyBytes);
  // In two pieces, since bytes arrive in pieces.
  std::string_view rest = bytes.substr(scan.bytes);
  size_t taken = body.Feed(rest.substr(0, rest.size() / 2)).taken;
  const BodyReader::Progress progress = body.Feed(rest.substr(taken));
  if (progress.error || !progress.done) return 0;
  taken += progress.taken;
  std::string text_of_body = body.Take();
  if (text_of_body.size() > kBodyBytes) std::abort();
  if (head.body_bytes && *head.body_bytes != text_of_body.size()) std::abort();
  const RequestPeek peek = Peek(text_of_body);
  AskForStream(std::move(text_of_body), peek);
  return scan.bytes + taken;
}

}  // namespace
}  // namespace tenon::apps::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tenon::apps::server;
  static const ApiKeys keys;
  static const Gate gate(Handlers::Routes(), keys, false, kBodyBytes);
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  while (const size_t taken = ReadOne(bytes, gate)) bytes.remove_prefix(taken);
  return 0;
}
