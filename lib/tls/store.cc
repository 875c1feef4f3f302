#include "tls/store.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>
#include <fstream>
#include <utility>

#include "tls/connection.h"

namespace pilotlight::tls {

namespace {

constexpr std::size_t kLargest = 256 * 1024;  // of a file: a chain has some KiB

std::string readFile(const std::string& path, std::string& error) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kLargest + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof() && error.empty())
    error = path + (file.is_open() && file.good() ? " is too large" : " can't be read: " + std::string(std::strerror(errno)));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

CertificateFiles certificateFolder(const std::string& path) {
  const std::string plain = path.substr(0, path.find_last_not_of('/') + 1);
  return {plain.substr(plain.rfind('/') + 1), plain + "/tls.crt", plain + "/tls.key"};
}

struct Store::Content {
  std::string certificate, key, error, digest;
  Content() = default;
  Content(Content&&) = default;
  ~Content() { OPENSSL_cleanse(key.data(), key.size()); }
};

Store::Content Store::read(const CertificateFiles& files) {
  Content content;
  content.certificate = readFile(files.certificate, content.error);
  content.key = readFile(files.key, content.error);
  content.digest.assign(EVP_MAX_MD_SIZE, '\0');
  EVP_MD_CTX* const sum = EVP_MD_CTX_new();
  EVP_DigestInit_ex(sum, EVP_sha256(), nullptr);
  for (const std::string* part : {&content.error, &content.certificate, &content.key})
    EVP_DigestUpdate(sum, part->c_str(), part->size() + 1);
  EVP_DigestFinal_ex(sum, reinterpret_cast<unsigned char*>(content.digest.data()), nullptr);
  EVP_MD_CTX_free(sum);
  return content;
}

Store::Store(StoreOptions options) : options_(std::move(options)) {
  for (const CertificateFiles& files : options_.certificates)
    slots_.push_back({.files = files, .taken{}, .refused{}, .seen{}, .certificate{}});
}

std::expected<void, std::string> Store::start() {
  renewTicketKeys();
  for (Slot& slot : slots_)
    if (auto taken = take(slot, read(slot.files)); !taken)
      return std::unexpected("certificate '" + slot.files.name + "' (" + slot.files.certificate + ", " + slot.files.key +
                             "): " + taken.error());
  publish();
  thread_ = std::thread([this] { run(); });
  return {};
}

void Store::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::expected<void, std::string> Store::take(Slot& slot, const Content& content) {
  if (!content.error.empty()) return std::unexpected(content.error);
  auto made = makeCertificate(content.certificate, content.key, {options_.http2, ticketKeys_});
  if (!made) return std::unexpected(made.error());
  std::lock_guard lock(mutex_);
  slot.certificate = *std::move(made);
  slot.taken = content.digest;
  slot.refused.clear();
  return {};
}

bool Store::look(Slot& slot) {
  const Content content = read(slot.files);
  const bool settled = std::exchange(slot.seen, content.digest) == content.digest;
  if (!settled || content.digest == slot.refused) return false;
  if (content.digest == slot.taken) {
    std::lock_guard lock(mutex_);
    slot.refused.clear();
    return false;
  }
  const auto taken = take(slot, content);
  if (!taken) {
    std::lock_guard lock(mutex_);
    slot.refused = content.digest;
  }
  options_.log(slot.files, taken ? "" : taken.error());
  return taken.has_value();
}

void Store::renewTicketKeys() {
  keysSince_ = std::chrono::steady_clock::now();
  RAND_bytes(ticketKeys_.data(), static_cast<int>(ticketKeys_.size()));
}

void Store::publish() {
  std::vector<std::shared_ptr<const Certificate>> certificates;
  for (const Slot& slot : slots_) certificates.push_back(slot.certificate);
  auto set = std::make_shared<const CertificateSet>(std::move(certificates));
  std::lock_guard lock(mutex_);
  current_.swap(set);
}

void Store::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, options_.lookEvery, [&] { return stopping_; })) {
    lock.unlock();
    bool changed = false;
    for (Slot& slot : slots_) changed = look(slot) || changed;
    if (std::chrono::steady_clock::now() - keysSince_ >= options_.ticketKeyTime) {
      renewTicketKeys();
      for (Slot& slot : slots_) {  // those that can't be read just now keep the old keys until they change
        const Content content = read(slot.files);
        if (content.digest == slot.taken) changed = take(slot, content).has_value() || changed;
      }
    }
    if (changed) publish();
    lock.lock();
  }
}

std::unique_ptr<net::Tls> Store::accept(int fd) {
  std::shared_ptr<const CertificateSet> now;
  {
    std::lock_guard lock(mutex_);
    now = current_;
  }
  return Connection::accept(fd, std::move(now));
}

std::vector<Store::State> Store::states() const {
  std::lock_guard lock(mutex_);
  std::vector<State> states;
  for (const Slot& slot : slots_) states.push_back({slot.files.name, slot.certificate->expires, !slot.refused.empty()});
  return states;
}

std::array<std::uint64_t, net::kTlsOutcomes> Store::outcomes() const {
  std::array<std::uint64_t, net::kTlsOutcomes> counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = outcomes_[i].load(std::memory_order_relaxed);
  return counts;
}

}  // namespace pilotlight::tls
