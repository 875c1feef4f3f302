#include "nginx.h"

#include <sys/un.h>

namespace pilotlight::test {

// Limits as the gateway has them, so that only the reading differs. A client that has sent everything may close its direction.
Command Nginx::writeConfiguration(std::uint16_t backendPort) {
  const std::string dir = dir_.path().string();
  std::string paths;
  for (const char* name : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) paths += std::string(name) + "_temp_path " + dir + "; ";
  writeFile(dir_.path() / "nginx.conf", "daemon off; master_process off; pid " + dir +
                                            "/pid; error_log stderr info;\n"
                                            "events {}\n"
                                            "http {\n"
                                            "  access_log off; " +
                                            paths +
                                            "\n"
                                            "  large_client_header_buffers 4 16k; client_max_body_size 0; keepalive_requests 1000;\n"
                                            "  upstream backend { server 127.0.0.1:" +
                                            std::to_string(backendPort) +
                                            "; keepalive 4; }\n"
                                            "  server {\n"
                                            "    listen unix:" +
                                            dir +
                                            "/socket;\n"
                                            "    location / {\n"
                                            "      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\";\n"
                                            "      proxy_ignore_client_abort on;\n"
                                            "    }\n"
                                            "  }\n"
                                            "}\n");
  return {.argv = {"/usr/sbin/nginx", "-e", "stderr", "-p", dir, "-c", dir + "/nginx.conf"}, .environment = {}};
}

Nginx::Nginx(std::uint16_t backendPort) : process_(writeConfiguration(backendPort)) {}

net::Fd Nginx::connect() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (dir_.path() / "socket").string();
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  net::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

}  // namespace pilotlight::test
