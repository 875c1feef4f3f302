#include "kube/kubeconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "kube/exec_credentials.h"
#include "kube/subprocess.h"
#include "test_pki.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

class KubeconfigTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& content) {
    test::writeFile(dir.path() / name, content);
    return dir.path() / name;
  }
  std::filesystem::path script(const std::string& name, const std::string& body) {
    const auto path = write(name, "#!/bin/sh\n" + body);
    ::chmod(path.c_str(), 0700);
    return path;
  }
  static std::string config(const std::string& cluster, const std::string& user) {
    return "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u, namespace: shop}}]\nclusters: [{name: k, cluster: {" +
           cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n";
  }
  const test::TempDir dir;
};

}  // namespace

TEST_F(KubeconfigTest, SaysWhereWhomToTrustAndWhatToShow) {
  const TestIdentity authority = makeAuthority("authority");
  const TestIdentity client = issue(authority, "me", {});
  write("pki/ca.crt", authority.certificate);
  write("pki/me.crt", client.certificate);
  write("pki/me.key", client.key);
  const auto file = write("config", config("server: 'https://h:6443/', certificate-authority: pki/ca.crt, tls-server-name: kubernetes",
                                           "client-certificate: pki/me.crt, client-key: pki/me.key, token: t"));
  const auto read = loadKubeconfig({file});
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(read->server, "https://h:6443");
  EXPECT_EQ(read->tls.caPem, authority.certificate) << "relative to the file";
  EXPECT_EQ(read->tls.serverName, "kubernetes");
  EXPECT_FALSE(read->tls.insecureSkipVerify);
  EXPECT_EQ(read->namespace_, "shop");
  EXPECT_EQ(*read->credentials->current(), (Credentials{"t", client.certificate, client.key}));
}

TEST_F(KubeconfigTest, DataWinsOverFilesAndIsBase64) {
  const auto read = readKubeconfig(config("server: 'https://h', certificate-authority: nowhere, certificate-authority-data: cGVt", ""));
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(read->tls.caPem, "pem");
  EXPECT_THAT(readKubeconfig(config("server: 'https://h', certificate-authority-data: '*'", "")).error(), HasSubstr("not base64"));
}

TEST_F(KubeconfigTest, OfSeveralFilesTheFirstEntryWins) {
  const auto first = write("first", "contexts: [{name: c, context: {cluster: k, user: u}}]\nusers: [{name: u, user: {token: first}}]\n");
  const auto second = write("second", config("server: 'https://second'", "token: second"));
  const std::string list = first.string() + "::" + (dir.path() / "missing").string() + ":" + second.string();
  const auto files = kubeconfigFiles([&](const char* name) { return std::string(name) == "KUBECONFIG" ? list : ""; });
  const auto read = loadKubeconfig(files);
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(read->server, "https://second");
  EXPECT_EQ(read->credentials->current()->bearerToken, "first");
  EXPECT_EQ(read->namespace_, "default") << "the first file's context has none";
}

TEST_F(KubeconfigTest, WhatIsMissingOrUnsupportedIsNamedAndNoSecretIs) {
  const auto error = [](const std::string& text) {
    const auto read = readKubeconfig(text);
    return read ? std::string("none") : read.error();
  };
  EXPECT_THAT(error("a: ["), HasSubstr("line"));
  EXPECT_THAT(error("[]"), HasSubstr("not a kubeconfig"));
  EXPECT_THAT(error("current-context: c"), HasSubstr("no context c"));
  EXPECT_THAT(error("{}"), HasSubstr("no current-context"));
  EXPECT_THAT(error(config("", "")), HasSubstr("no server"));
  EXPECT_THAT(error(config("server: 'https://h', proxy-url: 'http://p'", "")), HasSubstr("proxy-url is not supported"));
  EXPECT_THAT(error(config("server: 'https://h'", "auth-provider: {}")), HasSubstr("auth-provider is not supported"));
  EXPECT_THAT(error(config("server: 'https://h'", "username: u, password: hunter2")), Not(HasSubstr("hunter2")));
  EXPECT_THAT(error(config("server: 'https://h'", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}")),
              HasSubstr("must be client.authentication.k8s.io/v1"));
  EXPECT_THAT(
      error(config("server: 'https://h'", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}")),
      HasSubstr("terminal"));
  EXPECT_THAT(error(config("server: 'https://h'", "client-key-data: aHVudGVyMg==")), Not(HasSubstr("hunter2")));
  EXPECT_THAT(loadKubeconfig({dir.path() / "missing"}).error(), HasSubstr("missing"));
  EXPECT_EQ(readKubeconfig(config("server: 'http://pilotlight:hunter2@127.0.0.1:1'", "token: t"))->server, "http://127.0.0.1:1");
}

TEST_F(KubeconfigTest, ATokenFileIsReadAgainAfterAMinuteAndAfterARejection) {
  auto now = std::chrono::steady_clock::time_point(seconds(1000));
  const auto file = write("token", "one\n");
  const auto source = tokenFileCredentials({.path = file, .now = [&] { return now; }});
  EXPECT_EQ(source->current()->bearerToken, "one");
  write("token", "two");
  now += seconds(59);
  EXPECT_EQ(source->current()->bearerToken, "one");
  now += seconds(1);
  EXPECT_EQ(source->current()->bearerToken, "two");
  EXPECT_FALSE(source->reject()) << "nothing else to show";
  write("token", "three");
  EXPECT_TRUE(source->reject());
  EXPECT_EQ(source->current()->bearerToken, "three");
  std::filesystem::remove(file);
  now += seconds(60);
  EXPECT_EQ(source->current()->bearerToken, "three") << "may still be valid";
  EXPECT_EQ(tokenFileCredentials({.path = file})->current().error().code, ErrorCode::forbidden);
}

TEST_F(KubeconfigTest, InAPodEverythingComesFromTheKubelet) {
  write("account/token", "t");
  write("account/ca.crt", "pem");
  write("account/namespace", "shop");
  const auto environment = [](const char* name) {
    return std::string(std::string_view(name) == "KUBERNETES_SERVICE_HOST" ? "10.0.0.1" : "443");
  };
  const auto config = inClusterConfig(environment, dir.path() / "account");
  ASSERT_TRUE(config.has_value()) << config.error();
  EXPECT_EQ(config->server, "https://10.0.0.1:443");
  EXPECT_EQ(config->tls.caPem, "pem");
  EXPECT_EQ(config->namespace_, "shop");
  EXPECT_EQ(config->credentials->current()->bearerToken, "t");
  EXPECT_THAT(inClusterConfig([](const char*) { return std::string(); }).error(), HasSubstr("not in a pod"));
  EXPECT_THAT(inClusterConfig(environment, dir.path()).error(), HasSubstr("ca.crt"));
}

TEST_F(KubeconfigTest, AnExecPluginIsAskedWhenItsAnswerExpires) {
  const auto plugin =
      script("bin/plugin",
             "echo run >> \"$LOG\"\n"
             "printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",'\n"
             "printf '\"status\":{\"token\":\"%s-%s\",\"expirationTimestamp\":\"2026-01-31T12:00:00Z\"}}' \"$1\" \"$NAME\"\n");
  const auto log = dir.path() / "log";
  auto now = *parseTimestamp("2026-01-31T11:00:00Z");
  const auto source = execCredentials(
      {.command = plugin.string(), .args = {"arg"}, .environment = {{"NAME", "env"}, {"LOG", log.string()}}, .now = [&] { return now; }});
  EXPECT_EQ(source->current()->bearerToken, "arg-env");
  EXPECT_EQ(source->current()->bearerToken, "arg-env");
  EXPECT_EQ(test::readFile(log), "run\n");
  now = *parseTimestamp("2026-01-31T11:59:55Z");
  EXPECT_TRUE(source->current().has_value());
  EXPECT_EQ(test::readFile(log), "run\nrun\n");
  EXPECT_TRUE(source->reject());
  EXPECT_TRUE(source->current().has_value());
  EXPECT_EQ(test::readFile(log), "run\nrun\nrun\n");
}

TEST_F(KubeconfigTest, AnExecPluginIsFoundBesideTheFileAndToldAboutTheCluster) {
  script("plugin",
         "printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}'\n"
         "printf '%s' \"$KUBERNETES_EXEC_INFO\" > \"$0.info\"\n");
  const auto file = write("config", config("server: 'https://h'",
                                           "exec: {command: ./plugin, provideClusterInfo: true, apiVersion: "
                                           "client.authentication.k8s.io/v1, interactiveMode: Never}"));
  const auto read = loadKubeconfig({file});
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(read->credentials->current()->bearerToken, "t");
  EXPECT_THAT(test::readFile(dir.path() / "plugin.info"), HasSubstr(R"("server":"https://h")"));
}

TEST_F(KubeconfigTest, AnExecPluginThatFailsHangsOrTalksNonsenseSaysSoWithoutItsOutput) {
  const auto error = [&](const std::string& body, milliseconds timeout = seconds(30)) {
    const auto answer =
        execCredentials({.command = script("plugin", body).string(), .installHint = "install it", .timeout = timeout})->current();
    EXPECT_FALSE(answer.has_value());
    return answer ? "" : answer.error().message;
  };
  EXPECT_THAT(error("exit 3\n"), HasSubstr("exited with 3. install it"));
  EXPECT_THAT(error("kill -9 $$\n"), HasSubstr("signal 9"));
  EXPECT_THAT(error("sleep 1000 & sleep 1000\n", milliseconds(100)), HasSubstr("did not end within 100 ms"));
  EXPECT_THAT(error("exec >&-; sleep 1000\n", milliseconds(100)), HasSubstr("did not end within 100 ms"));
  EXPECT_THAT(error("echo secret-nonsense\n"), Not(HasSubstr("secret")));
  EXPECT_THAT(error("yes\n"), HasSubstr("wrote more than"));
  EXPECT_THAT(execCredentials({.command = "/no/such/plugin"})->current().error().message, HasSubstr("No such file"));
}

TEST(ExecCredential, MustBeWhole) {
  const std::string v1 = "client.authentication.k8s.io/v1";
  const auto error = [&](const std::string& status, const std::string& version = "client.authentication.k8s.io/v1") {
    const auto read = readExecCredential(R"({"apiVersion":")" + version + R"(","kind":"ExecCredential","status":)" + status + "}", v1);
    return read ? std::string("none") : read.error();
  };
  EXPECT_EQ(error(R"({"token":"t"})"), "none");
  EXPECT_EQ(error(R"({"clientCertificateData":"c","clientKeyData":"k"})"), "none");
  EXPECT_THAT(error(R"({"clientCertificateData":"c"})"), HasSubstr("without the other"));
  EXPECT_THAT(error("{}"), HasSubstr("neither"));
  EXPECT_THAT(error("null"), HasSubstr("no status"));
  EXPECT_THAT(error(R"({"token":"t","expirationTimestamp":"soon"})"), HasSubstr("RFC 3339"));
  EXPECT_THAT(error(R"({"token":"t"})", "client.authentication.k8s.io/v1beta1"), HasSubstr("is not of"));
  EXPECT_FALSE(readExecCredential("no", v1).has_value());
}

}  // namespace pilotlight::kube
