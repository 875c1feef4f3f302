#include "callhome/signature.h"

#include <gtest/gtest.h>

namespace pilotlight::callhome {
namespace {

std::string unhex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return bytes;
}

// RFC 4231, section 4; the fifth is cut short there, and left out.
TEST(HmacSha256, MatchesThePublishedVectors) {
  struct Case {
    std::string key, message;
    const char* digest;
  };
  const Case cases[] = {
      {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {unhex("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being "
       "used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const Case& each : cases) EXPECT_EQ(hmacSha256(each.key, each.message), unhex(each.digest)) << each.message;
}

TEST(Keys, DifferForEachFunctionNamespaceAndMasterAndFromTheGateways) {
  const std::string key = functionKey("master", "shop", "orders");
  EXPECT_EQ(key.size(), 64U);
  EXPECT_EQ(key, functionKey("master", "shop", "orders"));
  EXPECT_NE(key, functionKey("master", "shop", "order"));
  EXPECT_NE(key, functionKey("master", "shop2", "orders"));
  EXPECT_NE(key, functionKey("another", "shop", "orders"));
  EXPECT_NE(key, gatewayKey("master"));
}

TEST(Signature, HoldsForThisBodyAndThisKeyAlone) {
  const std::string signature = sign("key", "body");
  EXPECT_TRUE(verify("key", "body", signature));
  EXPECT_FALSE(verify("key", "bodi", signature));
  EXPECT_FALSE(verify("kez", "body", signature));
  EXPECT_FALSE(verify("key", "body", ""));
  EXPECT_FALSE(verify("key", "body", signature.substr(1)));
  EXPECT_FALSE(verify("key", "body", "0" + signature.substr(1)) && verify("key", "body", "1" + signature.substr(1)));
}

}  // namespace
}  // namespace pilotlight::callhome
