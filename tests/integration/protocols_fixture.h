// functions/protocols.py as a function "p" of runtime http: what it says passes a shim and a gateway on its way.
#pragma once

#include "tests/integration/fixture.h"
#include "tests/support/raw_socket.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::test {

class ProtocolsTest : public LocalTest {
 protected:
  void SetUp() override {
    local.addFile("p/protocols.py", readFile(PILOTLIGHT_FUNCTIONS "/protocols.py"));
    local.addFile("p/function.yaml",
                  "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: p}\n"
                  "spec:\n  runtime: http\n  handler: [python3, protocols.py]\n  timeout: 60s\n");
    ASSERT_NO_FATAL_FAILURE(startWith({"p"}));
  }
  /// The head of a request; further fields end with CRLF.
  static std::string head(const std::string& method, const std::string& path, const std::string& fields = "") {
    return method + " /p" + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
  }
};

}  // namespace pilotlight::test
