#include "runtime-shim/install.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include "net/socket.h"

namespace pilotlight::shim {
namespace {

std::unexpected<std::string> failed(const char* what, const std::string& path) {
  return std::unexpected(std::string(what) + " " + path + ": " + std::strerror(errno));
}

bool writeAll(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

std::expected<void, std::string> copyProgram(const std::string& from, const std::string& to) {
  net::Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return failed("open", from);
  const std::string unfinished = to + ".new";
  ::unlink(unfinished.c_str());
  net::Fd target(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  if (!target) return failed("create", unfinished);
  char buffer[64 * 1024];
  for (;;) {
    ssize_t got = ::read(source.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", from);
    if (got == 0) break;
    if (!writeAll(target.get(), buffer, static_cast<std::size_t>(got))) return failed("write", unfinished);
  }
  if (::fchmod(target.get(), 0755) != 0) return failed("chmod", unfinished);  // whatever the umask
  if (::rename(unfinished.c_str(), to.c_str()) != 0) return failed("rename", unfinished);
  return {};
}

}  // namespace

std::expected<void, std::string> install(const std::string& folder) {
  char self[PATH_MAX];
  ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return failed("read", "/proc/self/exe");
  const std::string program(self, static_cast<std::size_t>(length));
  if (auto copied = copyProgram(program, folder + "/pilotlight-shim"); !copied) return copied;
  const std::string host = program.substr(0, program.rfind('/')) + "/pilotlight-native-host";
  if (::access(host.c_str(), F_OK) != 0) return {};
  return copyProgram(host, folder + "/pilotlight-native-host");
}

}  // namespace pilotlight::shim
