#include "kube/exec_credentials.h"

#include <unistd.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "kube/subprocess.h"

namespace pilotlight::kube {

namespace {

std::string text(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<std::string> environmentFor(const ExecOptions& options) {
  Json info = {{"apiVersion", options.apiVersion}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}};
  if (!options.cluster.empty()) info["spec"]["cluster"] = Json::parse(options.cluster, nullptr, false);
  auto added = options.environment;
  added.emplace_back("KUBERNETES_EXEC_INFO", info.dump());
  std::vector<std::string> all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view own = *entry;
    const auto replaced = [&](const auto& pair) { return own.starts_with(pair.first + "="); };
    if (std::ranges::none_of(added, replaced)) all.emplace_back(own);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

class Exec final : public CredentialSource {
 public:
  explicit Exec(ExecOptions options) : options_(std::move(options)) {
    if (!options_.now) options_.now = std::chrono::system_clock::now;
  }

  Result<Credentials> current() override {
    const std::lock_guard lock(mutex_);
    if (answer_ && (!answer_->expires || *answer_->expires - options_.margin > options_.now())) return answer_->credentials;
    answer_.reset();
    auto fresh = run();
    if (!fresh) return std::unexpected(Error{ErrorCode::forbidden, "get credentials: " + fresh.error()});
    answer_ = *std::move(fresh);
    return answer_->credentials;
  }

  bool reject() override {
    const std::lock_guard lock(mutex_);
    answer_.reset();
    return true;
  }

 private:
  std::expected<ExecAnswer, std::string> run() const {
    ProgramOptions program{.argv = options_.args, .environment = environmentFor(options_), .timeout = options_.timeout};
    program.argv.insert(program.argv.begin(), options_.command);
    auto output = runProgram(program);
    if (!output) return std::unexpected(output.error() + (options_.installHint.empty() ? "" : ". " + options_.installHint));
    auto answer = readExecCredential(*output, options_.apiVersion);
    if (!answer) return std::unexpected("program " + options_.command + ": " + answer.error());
    return answer;
  }

  ExecOptions options_;  // constant after construction
  std::mutex mutex_;
  std::optional<ExecAnswer> answer_;  // guarded by mutex_
};

}  // namespace

std::expected<ExecAnswer, std::string> readExecCredential(const std::string& json, const std::string& apiVersion) {
  const Json answer = Json::parse(json, nullptr, false);
  if (!answer.is_object() || text(answer, "kind") != "ExecCredential") return std::unexpected("its output is no ExecCredential");
  if (text(answer, "apiVersion") != apiVersion) return std::unexpected("its ExecCredential is not of " + apiVersion);
  const auto status = answer.find("status");
  if (status == answer.end() || !status->is_object()) return std::unexpected("its ExecCredential has no status");
  ExecAnswer out;
  out.credentials = {text(*status, "token"), text(*status, "clientCertificateData"), text(*status, "clientKeyData")};
  if (out.credentials.certificate.empty() != out.credentials.key.empty()) {
    return std::unexpected("its ExecCredential has one of clientCertificateData and clientKeyData without the other");
  }
  if (out.credentials == Credentials{}) return std::unexpected("its ExecCredential has neither a token nor a certificate");
  if (const std::string expires = text(*status, "expirationTimestamp"); !expires.empty()) {
    out.expires = parseTimestamp(expires);
    if (!out.expires) return std::unexpected("its expirationTimestamp is no RFC 3339 time");
  }
  return out;
}

std::shared_ptr<CredentialSource> execCredentials(ExecOptions options) {
  return std::make_shared<Exec>(std::move(options));
}

}  // namespace pilotlight::kube
