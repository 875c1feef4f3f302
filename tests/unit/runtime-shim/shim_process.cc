#include "shim_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

namespace pilotlight::shim::test {
namespace {

using Clock = std::chrono::steady_clock;

bool waitFor(int fd, short events) {
  pollfd entry{fd, events, 0};
  return ::poll(&entry, 1, static_cast<int>(kPatience.count())) == 1;
}

// Of this process alone, so that tests run side by side.
std::string ownAddress() {
  static std::atomic<unsigned> next{1};
  unsigned pid = static_cast<unsigned>(::getpid());
  return "127." + std::to_string(100 + (pid >> 8) % 100) + "." + std::to_string(pid & 255) + "." + std::to_string(next++ % 250 + 1);
}

}  // namespace

bool eventually(const std::function<bool()>& condition, milliseconds patience) {
  for (auto end = Clock::now() + patience; Clock::now() < end; ::poll(nullptr, 0, 2)) {
    if (condition()) return true;
  }
  return condition();
}

std::string Response::header(const std::string& name) const {
  std::istringstream lines(head);
  for (std::string line; std::getline(lines, line);) {
    std::string lower = line.substr(0, line.find(':'));
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (lower == name) return line.substr(name.size() + 2, line.size() - name.size() - 3);
  }
  return {};
}

Connection::Connection(const std::string& ip, std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, ip.c_str(), &to.sin_addr);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) close();
}

Connection::Connection(Connection&& other) noexcept : fd_(other.fd_), buffer_(std::move(other.buffer_)) {
  other.fd_ = -1;
}

void Connection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Connection::send(std::string_view text) {
  while (!text.empty()) {
    ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool Connection::fill() {
  char part[64 * 1024];
  if (!waitFor(fd_, POLLIN)) return false;
  ssize_t count = ::recv(fd_, part, sizeof part, 0);
  if (count <= 0) return false;
  buffer_.append(part, static_cast<std::size_t>(count));
  return true;
}

Response Connection::receive(bool toHead) {
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return {};
  }
  Response response;
  response.head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  int status = std::stoi(response.head.substr(9, 3));
  if (response.header("transfer-encoding") == "chunked") {
    for (std::size_t size = 1; size != 0;) {
      while ((end = buffer_.find("\r\n")) == std::string::npos) {
        if (!fill()) return {};
      }
      size = std::stoul(buffer_, nullptr, 16);
      while (buffer_.size() < end + 4 + size) {
        if (!fill()) return {};
      }
      response.body.append(buffer_, end + 2, size);
      buffer_.erase(0, end + 4 + size);
    }
  } else if (std::string length = response.header("content-length"); !length.empty() && !toHead) {
    while (buffer_.size() < std::stoul(length)) {
      if (!fill()) return {};
    }
    response.body = buffer_.substr(0, std::stoul(length));
    buffer_.erase(0, response.body.size());
  }
  response.status = status;
  return response;
}

Response Connection::request(const std::string& method, const std::string& target, const std::string& body, const std::string& headers) {
  std::string length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
  if (!send(method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + headers + length + "\r\n" + body)) return {};
  return receive(method == "HEAD");
}

bool Connection::closedByPeer() {
  while (fill()) {
  }
  char byte;
  return ::recv(fd_, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

bool Connection::receives(std::string_view text) {
  while (buffer_.find(text) == std::string::npos) {
    if (!fill()) return false;
  }
  return true;
}

Shim::Shim(const ShimOptions& options) : ip_(ownAddress()), logFd_(::memfd_create("shim-log", 0)) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  ::fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  noticeFd_ = ends[0];
  std::map<std::string, std::string> env = {{"PILOTLIGHT_FUNCTION", "f"},
                                            {"PILOTLIGHT_NAMESPACE", "default"},
                                            {"PILOTLIGHT_VERSION", "3"},
                                            {"PILOTLIGHT_POD_NAME", "f-1"},
                                            {"PILOTLIGHT_POD_UID", "uid-1"},
                                            {"PILOTLIGHT_RUNTIME", options.runtime},
                                            {"PILOTLIGHT_LISTEN", ip_ + ":8012"},
                                            {"PILOTLIGHT_GRACE_MS", "10000"},
                                            {"PATH", "/usr/bin:/bin"},
                                            {"PILOTLIGHT_TIMEOUT_MS", "15000"},
                                            {"PILOTLIGHT_READY_FD", std::to_string(ends[1])}};
  if (options.local) env["PILOTLIGHT_PARENT_PID"] = std::to_string(::getpid());
  for (const auto& [name, value] : options.env) env[name] = value;
  std::vector<std::string> words = {PILOTLIGHT_SHIM, "--"}, variables;
  words.insert(words.end(), options.handler.begin(), options.handler.end());
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  std::vector<char*> argv, envp;
  for (auto& word : words) argv.push_back(word.data());
  for (auto& variable : variables) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(logFd_, 1);
    ::dup2(logFd_, 2);
    ::close(logFd_);
    ::execve(PILOTLIGHT_SHIM, argv.data(), envp.data());
    ::_exit(126);
  }
  ::close(ends[1]);
}

Shim::~Shim() {
  if (pid_ != 0) {
    ::kill(pid_, SIGTERM);  // it has nothing to do for us any more: the second one ends it at once, with all below it
    ::kill(pid_, SIGINT);
    waitExit();
  }
  // A process of ours that a sanitizer stops is only started again: nothing else need show it.
  EXPECT_EQ(log().find("Sanitizer: "), std::string::npos) << log();
  if (testing::Test::HasFailure()) std::cerr << "log of the shim at " << ip_ << ":\n" << log();
  ::close(noticeFd_);
  ::close(logFd_);
}

bool Shim::waitNotice(std::string_view word) {
  std::string line = std::string(word) + "\n";
  auto found = [&] { return ("\n" + notices_).find("\n" + line); };
  while (found() == std::string::npos) {
    char part[64];
    if (!waitFor(noticeFd_, POLLIN)) return false;
    ssize_t count = ::read(noticeFd_, part, sizeof part);
    if (count <= 0) return false;
    notices_.append(part, static_cast<std::size_t>(count));
  }
  notices_.erase(0, found() + line.size());
  return true;
}

bool Shim::waitReady() {
  return waitNotice("ready");
}
bool Shim::waitUnready() {
  return waitNotice("unready");
}

double Shim::metric(const std::string& name) const {
  std::string text = "\n" + get("/_pilotlight/metrics").body;
  std::size_t at = text.find("\npilotlight_shim_" + name + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 18));
}

void Shim::signal(int number) const {
  ::kill(pid_, number);
}

int Shim::waitExit() {
  int status = 0;
  bool ended = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
    status = -1;
  }
  pid_ = 0;
  return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string Shim::log() const {
  std::string text(static_cast<std::size_t>(::lseek(logFd_, 0, SEEK_END)), '\0');
  [[maybe_unused]] ssize_t ignored = ::pread(logFd_, text.data(), text.size(), 0);
  return text;
}

std::string readFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();  // a file of /proc whose process has gone fails in the middle: its end, here
  return text.str();
}

std::vector<pid_t> childrenOf(pid_t pid) {
  std::istringstream text(readFile("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children"));
  return {std::istream_iterator<pid_t>(text), {}};
}

bool alive(pid_t pid) {
  std::string stat = readFile("/proc/" + std::to_string(pid) + "/stat");
  std::size_t close = stat.rfind(')');
  return close != std::string::npos && stat[close + 2] != 'Z' && stat[close + 2] != 'X';
}

std::vector<std::string> pythonHandler() {
  return {"/usr/bin/python3", "-S", "-E", std::string(PILOTLIGHT_TEST_DIR) + "/handler.py"};
}
std::string library(const std::string& name) {
  return std::string(PILOTLIGHT_LIBRARY_DIR) + "/" + name;
}

}  // namespace pilotlight::shim::test
