// Writes the seeds of the HTTP targets from the table of messages that the tests use: make_seeds CORPUS_DIR.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

#include "tests/unit/net/http_cases.h"

using namespace pilotlight::net::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxSeed = 400;  // the fuzzer makes them longer by itself

void write(const fs::path& folder, const std::string& name, char control, std::string_view bytes) {
  fs::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary) << control << bytes;
}

std::string frame(char type, char flags, char stream, std::string_view payload) {
  const auto size = static_cast<char>(payload.size());
  return std::string{0, 0, size, type, flags, 0, 0, 0, stream} + std::string(payload);
}

using namespace std::string_literals;
// RFC 9113 6
constexpr char kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPush = 5, kPing = 6, kGoAway = 7, kWindow = 8,
               kContinuation = 9;
constexpr char kEndStream = 1, kEndHeaders = 4, kPadded = 8;

/// HTTP/2 frames as a client sends them after the preface; header blocks by RFC 7541.
void writeClientFrames(const fs::path& folder) {
  const std::string settings = frame(kSettings, 0, 0, ""), acknowledged = settings + frame(kSettings, 1, 0, "");
  const std::string get = "\x82\x86\x84\x41\x01\x61", post = "\x83\x86\x84\x41\x01\x61";
  const std::string getFrame = frame(kHeaders, kEndStream | kEndHeaders, 1, get);
  const std::pair<const char*, std::string> seeds[] = {
      {"settings", settings},
      {"settings_of_all_kinds", frame(kSettings, 0, 0, "\0\1\0\0\x10\0\0\3\0\0\0\x64\0\4\0\0\0\1\0\5\0\0\x40\0"s)},
      {"get", acknowledged + getFrame},
      {"two_gets", acknowledged + getFrame + frame(kHeaders, kEndStream | kEndHeaders, 3, get)},
      {"post", acknowledged + frame(kHeaders, kEndHeaders, 1, post) + frame(kData, kEndStream, 1, "abc")},
      {"padded", acknowledged + frame(kHeaders, kEndHeaders, 1, post) + frame(kData, kEndStream | kPadded, 1, "\2abc\0\0"s)},
      {"trailers", acknowledged + frame(kHeaders, kEndHeaders, 1, post) + frame(kData, 0, 1, "abc") +
                       frame(kHeaders, kEndStream | kEndHeaders, 1, "\x40\1x\1y"s)},
      {"length", acknowledged +
                     frame(kHeaders, kEndHeaders, 1,
                           post + "\x0f\x0d\1"
                                  "3") +
                     frame(kData, kEndStream, 1, "abc")},
      {"wrong_length", acknowledged +
                           frame(kHeaders, kEndHeaders, 1,
                                 post + "\x0f\x0d\1"
                                        "2") +
                           frame(kData, kEndStream, 1, "abc")},
      {"continuation",
       acknowledged + frame(kHeaders, kEndStream, 1, get.substr(0, 3)) + frame(kContinuation, kEndHeaders, 1, get.substr(3))},
      {"connection_field", acknowledged + frame(kHeaders, kEndStream | kEndHeaders, 1,
                                                get + "\x40\x0a"
                                                      "connection\5close")},
      {"no_path", acknowledged + frame(kHeaders, kEndStream | kEndHeaders, 1, "\x82\x86")},
      {"reset", acknowledged + frame(kHeaders, kEndHeaders, 1, post) + frame(kReset, 0, 1, "\0\0\0\x08"s)},
      {"ping", acknowledged + frame(kPing, 0, 0, "12345678") + getFrame},
      {"window", acknowledged + frame(kWindow, 0, 0, "\0\0\1\0"s) + getFrame + frame(kWindow, 0, 1, "\0\0\1\0"s)},
      {"small_window", frame(kSettings, 0, 0, "\0\4\0\0\0\1"s) + getFrame + frame(kWindow, 0, 1, "\0\0\0\1"s)},
      {"priority", acknowledged + frame(kPriority, 0, 3, "\0\0\0\1\x10"s) + getFrame},
      {"go_away", acknowledged + getFrame + frame(kGoAway, 0, 0, "\0\0\0\1\0\0\0\0"s)},
      {"data_without_stream", acknowledged + frame(kData, 0, 5, "abc")},
      {"unknown_type", acknowledged + frame(0x42, 0, 0, "abc") + getFrame},
  };
  for (const auto& [name, bytes] : seeds) write(folder, name, static_cast<char>(bytes.size()), bytes);
}

/// The same as a server sends them to GET on stream 1, HEAD on 3, POST on 5.
void writeServerFrames(const fs::path& folder) {
  const std::string settings = frame(kSettings, 0, 0, "") + frame(kSettings, 1, 0, "");
  const auto head = [](char stream, std::string_view block, char flags = 0) {
    return frame(kHeaders, static_cast<char>(kEndHeaders | flags), stream, block);
  };
  const std::string ok = "\x88", hints =
                                     "\x48\x03"
                                     "103";
  const std::string all = settings + head(1, ok) + frame(kData, kEndStream, 1, "abc") + head(3, ok, kEndStream) + head(5, ok, kEndStream);
  const std::pair<const char*, std::string> seeds[] = {
      {"settings", settings},
      {"all", all},
      {"trailers", settings + head(1, ok) + frame(kData, 0, 1, "abc") + head(1, "\x40\1x\1y", kEndStream)},
      {"interim", settings + head(1, hints) + head(1, ok, kEndStream)},
      {"length", settings +
                     head(1, ok + "\x0f\x0d\1"
                                  "3") +
                     frame(kData, kEndStream, 1, "abc")},
      {"wrong_length", settings +
                           head(1, ok + "\x0f\x0d\1"
                                        "2") +
                           frame(kData, kEndStream, 1, "abc")},
      {"no_status", settings + head(1, "\x40\1x\1y", kEndStream)},
      {"padded", settings + head(1, ok) + frame(kData, kEndStream | kPadded, 1, "\2abc\0\0"s)},
      {"reset", settings + head(1, ok) + frame(kReset, 0, 1, "\0\0\0\2"s) + frame(kReset, 0, 5, "\0\0\0\7"s)},
      {"early", settings + head(5, ok, kEndStream) + frame(kReset, 0, 5, "\0\0\0\0"s)},
      {"go_away", settings + frame(kGoAway, 0, 0, "\0\0\0\1\0\0\0\0"s) + head(1, ok, kEndStream)},
      {"few_streams", frame(kSettings, 0, 0, "\0\3\0\0\0\1"s) + head(1, ok, kEndStream)},
      {"small_window", frame(kSettings, 0, 0, "\0\4\0\0\0\1"s) + frame(kWindow, 0, 5, "\0\0\0\1"s) + head(5, ok, kEndStream)},
      {"push", settings + frame(kPush, kEndHeaders, 1, "\0\0\0\2\x82\x86\x84\x41\1a"s) + head(1, ok, kEndStream)},
      {"ping", settings + frame(kPing, 0, 0, "12345678") + head(1, ok, kEndStream)},
      {"http1", "HTTP/1.1 400 Bad Request\r\n\r\n"},
  };
  for (const auto& [name, bytes] : seeds) write(folder, name, static_cast<char>(bytes.size()), bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_seeds CORPUS_DIR\n";
    return 2;
  }
  const fs::path corpus = argv[1];
  // What is taken, and every fourth of what is refused: the others are near enough for the fuzzer to find.
  int refused = 0;
  for (const RequestCase& given : requestCases()) {
    if (given.bytes.size() > kMaxSeed || (given.status != 0 && ++refused % 4 != 0)) continue;
    const char control = static_cast<char>(given.bytes.size() % 64);
    write(corpus / "http_request_fuzz", given.name, control, given.bytes);
    write(corpus / "http_server_fuzz", given.name, control, given.bytes + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::size_t end = given.bytes.find("\r\n\r\n");
    if (given.bytes.find("chunked\r\n\r\n") != std::string::npos)
      write(corpus / "http_chunked_fuzz", given.name, control, std::string_view(given.bytes).substr(end + 4));
  }
  refused = 0;
  for (const ResponseCase& given : responseCases()) {
    if (given.bytes.empty() || given.bytes.size() > kMaxSeed || (given.status == 0 && ++refused % 2 != 0)) continue;
    const char control = static_cast<char>(given.bytes.size() % 64 * 2);
    write(corpus / "http_response_fuzz", given.name, control, given.bytes);
    write(corpus / "http_client_fuzz", given.name, control, given.bytes);
  }
  writeClientFrames(corpus / "http2_server_fuzz");
  writeServerFrames(corpus / "http2_client_fuzz");
}
