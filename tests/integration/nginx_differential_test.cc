// The gateway and nginx before the same backend, asked the same: what nginx refuses the gateway refuses as well, or the
// difference is known and says why. What the gateway forwards arrives as one request in one framing.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <set>

#include "nginx.h"
#include "recording_backend.h"
#include "tests/unit/gateway/fixture.h"
#include "tests/unit/net/http_cases.h"
#include "tests/unit/net/read_request.h"

namespace pilotlight::gateway {
namespace {

using net::test::RequestCase;
using net::test::requestCases;
using pilotlight::test::Nginx;
using pilotlight::test::RecordedRequest;
using pilotlight::test::RecordingBackend;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::string_view_literals;

constexpr std::string_view kLast = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Sends everything and reads until the other side closes.
std::string talk(net::Fd connection, std::string_view bytes, bool halfClose) {
  while (!bytes.empty()) {
    const ssize_t sent = send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  if (halfClose) shutdown(connection.get(), SHUT_WR);
  std::string answers;
  char buffer[65536];
  for (pollfd waiter{connection.get(), POLLIN, 0}; poll(&waiter, 1, 10'000) == 1;) {
    const ssize_t got = recv(connection.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return answers;
    answers.append(buffer, static_cast<std::size_t>(got));
  }
  ADD_FAILURE() << "the connection stayed open";
  return answers;
}

/// Whether the first answer is the backend's.
bool wasForwarded(std::string_view answers) {
  return answers.substr(0, answers.find("\r\n\r\n")).find("\r\nX-Backend: yes") != std::string_view::npos;
}

class NginxDifferential : public test::GatewayTest {
 protected:
  NginxDifferential() : nginx_(backend_.port()) {
    EXPECT_TRUE(test::eventually([&] { return static_cast<bool>(nginx_.connect()); })) << nginx_.errors();
  }

  void SetUp() override {
    start();
    auto route = this->route();
    route.spec.localPath.clear();
    route.spec.hosts = {"a"};
    apply(route);
    const std::string uid = pod("replica");
    ASSERT_EQ(callHome("replica", uid, backend_.port()), 204);
  }

  struct Asked {
    bool forwarded;
    std::string answers;
    std::vector<RecordedRequest> arrived;
  };
  Asked askNginx(const std::string& bytes) {
    const std::string answers = talk(nginx_.connect(), bytes + std::string(kLast), true);
    return {wasForwarded(answers), answers, backend_.take()};
  }
  Asked askGateway(const std::string& bytes) {
    const auto address = *net::toSocketAddress(gateway_->address());
    net::Fd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(connection.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length), 0);
    const std::string answers = talk(std::move(connection), bytes + std::string(kLast), false);
    return {wasForwarded(answers), answers, backend_.take()};
  }

  RecordingBackend backend_;
  Nginx nginx_;
};

std::vector<std::string> seenIn(const std::vector<RecordedRequest>& requests) {
  std::vector<std::string> seen;
  for (const RecordedRequest& request : requests) seen.push_back(request.seen);
  return seen;
}

std::vector<std::string> problemsIn(const std::vector<RecordedRequest>& requests) {
  std::vector<std::string> problems;
  for (const RecordedRequest& request : requests)
    if (!request.problem.empty()) problems.push_back(request.problem + " in " + testing::PrintToString(request.raw));
  return problems;
}

std::size_t backendAnswersIn(std::string_view answers) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = answers.find("\r\nX-Backend: yes\r\n", at)) != std::string_view::npos; ++at) ++count;
  return count;
}

/// Whether the gateway read a request and knew no function for it: the connection went on.
bool wasRoutedNowhere(std::string_view answers) {
  return answers.find("HTTP/1.1 404 ") != std::string_view::npos || answers.find("\"error\":\"BadRequest\"") != std::string_view::npos;
}

/// What nginx refuses and the gateway takes, why, and how to tell. docs/http.md has the same list.
struct Difference {
  std::string_view what, why;
  bool (*appliesTo)(std::string_view request);
};

bool hasTabInFramingField(std::string_view request) {
  while (!request.empty()) {
    const std::string_view line = request.substr(0, request.find('\n'));
    request.remove_prefix(std::min(request.size(), line.size() + 1));
    const bool framing = net::startsWithIgnoreCase(line, "content-length:") || net::startsWithIgnoreCase(line, "transfer-encoding:") ||
                         net::startsWithIgnoreCase(line, "host:");
    if (framing && line.find('\t') != std::string_view::npos) return true;
  }
  return false;
}

/// In the path of the first request that has one.
bool hasOddPercentEncoding(std::string_view request) {
  const std::size_t blank = request.find(' ');
  if (blank == std::string_view::npos) return false;
  const std::string_view target = request.substr(blank + 1), path = target.substr(0, target.find_first_of(" ?"));
  for (std::size_t at = 0; (at = path.find('%', at)) != std::string_view::npos; ++at) {
    const std::string_view digits = path.substr(at + 1, 2);
    const bool hex = digits.size() == 2 && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    if (!hex || digits == "00") return true;
  }
  return false;
}

constexpr Difference kDifferences[] = {
    {"a tab beside the value of `Content-Length`, `Transfer-Encoding` or `Host`",
     "a tab is white space there as a blank is (RFC 9110 5.6.3), and nobody behind the gateway sees it, since these fields are written "
     "anew.",
     hasTabInFramingField},
    {"`%00`, or `%` without two hexadecimal digits, in a path",
     "the gateway decodes nothing but dots. It compares and forwards paths as they were sent; what they mean is for the function to say.",
     hasOddPercentEncoding},
};

const Difference* differenceOf(std::string_view request) {
  for (const Difference& difference : kDifferences)
    if (difference.appliesTo(request)) return &difference;
  return nullptr;
}

/// Requests that differ a little from those of the table; the same ones in every run.
class Mutations {
 public:
  std::string next() {
    const bool proper = random(2) == 0;  // every other one from what is taken as it is
    const RequestCase* base = &pick();
    while (base->bytes.size() > 2000 || (proper && base->status != 0)) base = &pick();
    std::string bytes = base->bytes;
    for (std::size_t changes = 1 + random(2); changes > 0 && !bytes.empty(); --changes) change(bytes);
    return bytes;
  }

 private:
  std::size_t random(std::size_t below) { return random_() % below; }
  const RequestCase& pick() { return cases_[random(cases_.size())]; }

  void change(std::string& bytes) {
    constexpr std::string_view kOddBytes = " \t\r\n\0:;,/\\%#?@[](<\"'=+-_.*0159aAfFgGxXzZ\x01\x0b\x7f\x80\xff"sv;
    const std::size_t at = random(bytes.size());
    switch (random(7)) {
      case 0:
        bytes[at] = kOddBytes[random(kOddBytes.size())];
        break;
      case 1:
        bytes.insert(at, 1, kOddBytes[random(kOddBytes.size())]);
        break;
      case 2:
        bytes.erase(at, 1);
        break;
      case 3:
        bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
        break;
      case 4:
        bytes.insert(lineAt(bytes, at), lineOf(bytes, random(bytes.size())));
        break;
      case 5: {
        const std::string& other = pick().bytes;
        if (other.size() < 2000) bytes.insert(lineAt(bytes, at), lineOf(other, random(other.size())));
        break;
      }
      default:
        bytes.erase(lineAt(bytes, at), lineOf(bytes, at).size());
    }
  }
  /// Where the line of a position begins, and that line with its end.
  static std::size_t lineAt(const std::string& bytes, std::size_t at) { return at == 0 ? 0 : bytes.rfind('\n', at - 1) + 1; }
  static std::string lineOf(const std::string& bytes, std::size_t at) {
    const std::size_t begin = lineAt(bytes, at), end = bytes.find('\n', at);
    return bytes.substr(begin, end == std::string::npos ? end : end + 1 - begin);
  }

  const std::vector<RequestCase> cases_ = requestCases();
  std::mt19937 random_{20261};
};

/// Whether the gateway waits for no more of it: all are whole requests, or one is refused.
bool endsForUs(std::string_view bytes) {
  std::string all = std::string(bytes) + std::string(kLast);
  for (;;) {
    const net::test::Verdict verdict = net::test::readRequest(all, all.size());
    if (verdict.state != net::Parse::done) return verdict.state == net::Parse::bad;
    all.erase(0, verdict.size);
    if (all.empty()) return true;
  }
}

TEST_F(NginxDifferential, RefusesWhatNginxRefusesOrSaysWhyNot) {
  std::set<std::string_view> found;
  for (const RequestCase& given : requestCases()) {
    SCOPED_TRACE(given.name);
    const Asked ours = askGateway(given.bytes), theirs = askNginx(given.bytes);
    const Difference* known = differenceOf(given.bytes);
    if (ours.forwarded && !theirs.forwarded) {
      EXPECT_TRUE(known) << "nginx: " << theirs.answers;
      if (known) found.insert(known->what);
    }
    if (ours.forwarded && theirs.forwarded) EXPECT_EQ(seenIn(ours.arrived), seenIn(theirs.arrived));
  }
  for (const Difference& difference : kDifferences) EXPECT_TRUE(found.contains(difference.what)) << "not seen: " << difference.what;
}

TEST_F(NginxDifferential, ReadsMutatedRequestsAsNginxDoesOrRefusesThem) {
  Mutations mutations;
  int forwardedByBoth = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string bytes = mutations.next();
    if (!endsForUs(bytes)) continue;
    SCOPED_TRACE(testing::PrintToString(bytes));
    const Asked ours = askGateway(bytes), theirs = askNginx(bytes);
    EXPECT_THAT(problemsIn(ours.arrived), IsEmpty());
    EXPECT_EQ(ours.arrived.size(), backendAnswersIn(ours.answers));
    forwardedByBoth += ours.forwarded && theirs.forwarded;
    if (differenceOf(bytes) || wasRoutedNowhere(ours.answers)) continue;
    // It may stop earlier than nginx does, but what it takes it takes for the same.
    const std::vector<std::string> seen = seenIn(ours.arrived), theirSeen = seenIn(theirs.arrived);
    EXPECT_LE(seen.size(), theirSeen.size()) << "nginx: " << theirs.answers;
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), theirSeen.begin(),
                           theirSeen.begin() + static_cast<int>(std::min(seen.size(), theirSeen.size()))))
        << testing::PrintToString(seen) << " but for nginx " << testing::PrintToString(theirSeen);
  }
  EXPECT_GT(forwardedByBoth, 400);  // else they show nothing
}

TEST_F(NginxDifferential, ForwardsWhatItTakesAsOneRequestInOneFraming) {
  for (const RequestCase& given : requestCases()) {
    SCOPED_TRACE(given.name);
    const Asked ours = askGateway(given.bytes);
    EXPECT_THAT(problemsIn(ours.arrived), IsEmpty());
    if (given.status != 0) {
      EXPECT_THAT(ours.answers, StartsWith("HTTP/1.1 " + std::to_string(given.status) + " "));
      EXPECT_THAT(ours.arrived, IsEmpty());
    } else if (ours.answers.starts_with("HTTP/1.1 404 ")) {
      EXPECT_FALSE(ours.forwarded);  // no function has such a host
    } else {
      EXPECT_THAT(seenIn(ours.arrived), ElementsAre(given.seen, "GET /last "));
    }
  }
}

/// The items of a list in Markdown, each in one line, in the section with this heading.
std::vector<std::string> listIn(const std::string& file, std::string_view heading) {
  std::vector<std::string> items;
  bool inSection = false;
  for (const std::string& line : pilotlight::test::readLines(file)) {
    if (line.starts_with("## ")) inSection = line == heading;
    if (!inSection) continue;
    if (line.starts_with("- ")) items.push_back(line.substr(2));
    if (line.starts_with("  ") && !items.empty()) items.back() += line.substr(1);
  }
  return items;
}

TEST(NginxDifferences, AreToldInTheDocs) {
  std::vector<std::string> known;
  for (const Difference& difference : kDifferences) known.push_back(std::string(difference.what) + ": " + std::string(difference.why));
  EXPECT_EQ(listIn(PILOTLIGHT_DOCS "/http.md", "## What nginx refuses and the gateway takes"), known);
}

}  // namespace
}  // namespace pilotlight::gateway
