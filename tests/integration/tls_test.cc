// `pilotlight local --tls-cert --tls-key`, asked by curl.
#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

class LocalTls : public LocalTest {
 protected:
  std::string certificate() const { return (local.scratch() / "cert.pem").string(); }
  std::string key() const { return (local.scratch() / "key.pem").string(); }
  void make(const std::string& name) {
    const Outcome made =
        run({.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                      "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-keyout", key(), "-out", certificate()}});
    ASSERT_EQ(made.exit, 0) << made.err;
  }
  std::string port() const {
    static constexpr std::string_view kBefore = "HTTPS: https://127.0.0.1:";
    const std::string out = local.output();
    const auto at = out.find(kBefore);
    return at == std::string::npos ? "" : out.substr(at + kBefore.size(), out.find('\n', at) - at - kBefore.size());
  }
};

TEST_F(LocalTls, ServesFunctionsByHttpsToo) {
  ASSERT_NO_FATAL_FAILURE(make("a.example"));
  local.addFile("env/function.yaml",
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: env}\nspec: {runtime: exec, handler: [env]}\n");
  const auto started = local.start({"--tls-cert", certificate(), "--tls-key", key(), "--listen-tls", "127.0.0.1:0"});
  ASSERT_TRUE(started) << started.error();
  ASSERT_TRUE(waitUntil([&] { return !port().empty(); }, 10s));
  const Outcome asked =
      run({.argv = {"curl", "-sS", "--http2", "--max-time", "20", "--cacert", certificate(), "--resolve",
                    "a.example:" + port() + ":127.0.0.1", "-w", "VERSION=%{http_version}", "https://a.example:" + port() + "/env"}});
  EXPECT_EQ(asked.exit, 0) << asked.err;
  EXPECT_THAT(asked.out, HasSubstr("HTTP_HEADER_X_FORWARDED_PROTO=https\n"));
  EXPECT_THAT(asked.out, HasSubstr("VERSION=2"));
  EXPECT_THAT(body(local.get("/env")), HasSubstr("HTTP_HEADER_X_FORWARDED_PROTO=http\n"));
}

TEST_F(LocalTls, TellsWhatIsWrongWithACertificate) {
  ASSERT_NO_FATAL_FAILURE(make("a.example"));
  const std::string folder = local.functions().string();
  const Outcome swapped = local.cli({"local", "-f", folder, "--tls-cert", key(), "--tls-key", certificate()});
  EXPECT_EQ(swapped.exit, 1) << swapped.all();
  EXPECT_THAT(swapped.err, HasSubstr(key()));
  EXPECT_THAT(swapped.err, HasSubstr("the certificate is not PEM"));
  const Outcome half = local.cli({"local", "-f", folder, "--tls-cert", certificate()});
  EXPECT_EQ(half.exit, 2) << half.all();
  EXPECT_THAT(half.err, HasSubstr("--tls-key"));
}

}  // namespace
}  // namespace pilotlight::test
