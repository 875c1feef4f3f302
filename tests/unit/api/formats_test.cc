#include "api/formats.h"

#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <string>
#include <vector>

namespace pilotlight::api {
namespace {

struct Case {
  Format format;
  std::vector<std::string> good, bad;
};

std::vector<Case> cases() {
  const std::string label63(63, 'a'), label64(64, 'a');
  return {
      {Format::text, {"", "a b\n"}, {std::string("a\0b", 3)}},
      {Format::dnsLabel, {"a", "orders-2"}, {"", "2a", "-a", "a-", "A", "a.b", "a_b"}},
      {Format::subdomain, {"db", "a.b-c", "1"}, {"", "A", "a..b", "-a", "a.", "a_b"}},
      {Format::host,
       {"api.example.com", "localhost", "1.a"},
       {"", "API.example.com", "a:80", "http://a", "a/b", "*.a", "a..b", "a-", label64 + ".a"}},
      {Format::envName, {"STAGE", "_a", "a.b-c1"}, {"", "1A", "A=B", "A B"}},
      {Format::absolutePath,
       {"/etc", "/etc/a.b", "/...", "/.hidden"},
       {"", "etc", "/", "/etc/", "//etc", "/etc/..", "/../a", "/a/./b", "/a:b", "/a\nb"}},
      {Format::urlPath, {"/", "/healthz?x=1"}, {"", "healthz", "/a b", "/a#b", "/\xc3\xa4"}},
      {Format::localPath, {"/hello", "/shop/orders"}, {"", "/", "hello", "/Hello", "/a/", "/a_b"}},
      {Format::routePath,
       {"/", "/{proxy+}", "/users/{id}", "/users/{id}/{proxy+}", "/a.b/c%20d", "/.well-known", "/{_x-1}", "/..."},
       {"", "users", "/users/", "//", "/{}", "/{id", "/id}", "/{proxy+}/a", "/{id+}", "/a{id}", "/{1}", "/a b", "/a?b", "/a%2", "/a/../b",
        "/.", "/{a}{b}", "/%zz"}},
      {Format::method, {"GET", "M-SEARCH"}, {"", "get", "GeT", "G T", "1GET"}},
      {Format::image, {"registry.example/orders:1.4", "a@sha256:00"}, {"", "a b", "a\n"}},
      {Format::labelValue, {"", "a", "A.b_c-1"}, {"-a", "a-", "a b", "a/b"}},
  };
}

TEST(Formats, AddressRangesAreOfEitherFamily) {
  for (const char* range : {"10.0.0.0/8", "0.0.0.0/0", "255.255.255.255/32", "fd00::/8", "::/0", "2001:db8::1/128"}) {
    EXPECT_TRUE(isCidr(range)) << range;
  }
  for (const char* other :
       {"", "10.0.0.1", "10.0.0/8", "10.0.0.256/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "fd00::/129", "db.example.com", "db/8"}) {
    EXPECT_FALSE(isCidr(other)) << other;
  }
}

TEST(Formats, AcceptAndRefuse) {
  for (const Case& c : cases()) {
    const FormatInfo& format = formatInfo(c.format);
    for (const auto& text : c.good) EXPECT_TRUE(format.check(text)) << format.name << ": " << text;
    for (const auto& text : c.bad) EXPECT_FALSE(format.check(text)) << format.name << ": " << text;
  }
}

/// The pattern is what an API server checks: it must be the same language. Empty text is left out: there minLength decides.
TEST(Formats, PatternsSayTheSameAsTheChecks) {
  for (const Case& c : cases()) {
    const FormatInfo& format = formatInfo(c.format);
    if (format.pattern.empty() || c.format == Format::text) continue;
    std::regex pattern{std::string(format.pattern), std::regex::ECMAScript};
    for (const auto& text : c.good) EXPECT_TRUE(std::regex_match(text, pattern)) << format.name << ": " << text;
    for (const auto& text : c.bad) EXPECT_FALSE(!text.empty() && std::regex_match(text, pattern)) << format.name << ": " << text;
  }
}

TEST(Formats, BoundLengths) {
  EXPECT_TRUE(isSubdomain(std::string(63, 'a')));
  EXPECT_FALSE(isSubdomain(std::string(64, 'a')));
  EXPECT_TRUE(isQualifiedName("example.com/team"));
  EXPECT_FALSE(isQualifiedName("/team"));
  EXPECT_FALSE(isQualifiedName("a/b/c"));
  EXPECT_FALSE(isQualifiedName(""));
  EXPECT_FALSE(isLabelValue(std::string(64, 'a')));
}

TEST(Formats, FindDuplicateParameters) {
  EXPECT_FALSE(hasDuplicateParameters("/a/{id}/a/{id2}"));
  EXPECT_TRUE(hasDuplicateParameters("/{id}/a/{id}"));
}

TEST(Utf8, IsCheckedStrictly) {
  for (std::string_view text : {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\xa5"}) EXPECT_TRUE(isUtf8(text));
  for (std::string_view text : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\x80"})
    EXPECT_FALSE(isUtf8(text));
  EXPECT_EQ(countCharacters("\xc3\xa4\xe2\x82\xac"), 2U);
}

TEST(Nearest, KnowsWhatWasMeant) {
  constexpr std::array<std::string_view, 4> known{"min", "max", "toZeroAfter", "handler"};
  EXPECT_EQ(nearest("mn", known), "min");
  EXPECT_EQ(nearest("tozeroafter", known), "toZeroAfter");
  EXPECT_EQ(nearest("handlr", known), "handler");
  EXPECT_EQ(nearest("colour", known), "");
  EXPECT_EQ(nearest(std::string(1000, 'm'), known), "");
}

}  // namespace
}  // namespace pilotlight::api
