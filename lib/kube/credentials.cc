#include "kube/credentials.h"

#include <fstream>
#include <mutex>
#include <optional>

namespace pilotlight::kube {

namespace {

constexpr std::size_t kMaxTokenBytes = 64 << 10;

class Fixed final : public CredentialSource {
 public:
  explicit Fixed(Credentials credentials) : credentials_(std::move(credentials)) {}
  Result<Credentials> current() override { return credentials_; }
  bool reject() override { return false; }

 private:
  const Credentials credentials_;
};

/// The first word of the file: tokens have no white space, and editors leave a newline.
std::optional<std::string> readToken(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string token;
  if (!(file >> token) || token.size() > kMaxTokenBytes) return std::nullopt;
  return token;
}

class TokenFile final : public CredentialSource {
 public:
  TokenFile(TokenFileOptions options, Credentials base) : options_(std::move(options)), credentials_(std::move(base)) {
    if (!options_.now) options_.now = std::chrono::steady_clock::now;
  }

  Result<Credentials> current() override {
    const std::lock_guard lock(mutex_);
    const auto now = options_.now();
    if (readAt_ && now - *readAt_ < options_.keep) return credentials_;
    if (auto token = readToken(options_.path)) {
      credentials_.bearerToken = *std::move(token);
      readAt_ = now;
    } else if (credentials_.bearerToken.empty()) {
      return std::unexpected(Error{ErrorCode::forbidden, "read the token in " + options_.path.string() + ": no readable token"});
    }
    return credentials_;
  }

  bool reject() override {
    const std::lock_guard lock(mutex_);
    readAt_.reset();
    const auto token = readToken(options_.path);
    return token && *token != credentials_.bearerToken;
  }

 private:
  TokenFileOptions options_;  // constant after construction
  std::mutex mutex_;
  Credentials credentials_;                                      // guarded by mutex_
  std::optional<std::chrono::steady_clock::time_point> readAt_;  // guarded by mutex_
};

}  // namespace

std::shared_ptr<CredentialSource> fixedCredentials(Credentials credentials) {
  return std::make_shared<Fixed>(std::move(credentials));
}

std::shared_ptr<CredentialSource> tokenFileCredentials(TokenFileOptions options, Credentials base) {
  return std::make_shared<TokenFile>(std::move(options), std::move(base));
}

}  // namespace pilotlight::kube
