// crdgen ROOT writes crds/*.yaml and docs/reference.md below ROOT.
// crdgen --check ROOT writes nothing: it names the files that differ and exits 1 when there are any.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "api/api.h"

namespace {

namespace fs = std::filesystem;
using pilotlight::api::GeneratedFile;

std::string contentOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool write(const fs::path& path, const std::string& content) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  return static_cast<bool>(file.flush());
}

int check(const fs::path& root) {
  int result = 0;
  for (const GeneratedFile& file : pilotlight::api::generatedFiles()) {
    if (contentOf(root / file.path) == file.content) continue;
    std::cerr << file.path << ": not what lib/api/tables.h says; run make crds\n";
    result = 1;
  }
  return result;
}

int generate(const fs::path& root) {
  for (const GeneratedFile& file : pilotlight::api::generatedFiles()) {
    if (contentOf(root / file.path) == file.content) continue;
    if (!write(root / file.path, file.content)) {
      std::cerr << "cannot write " << (root / file.path).string() << "\n";
      return 1;
    }
    std::cout << "wrote " << file.path << "\n";
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool checking = argc == 3 && std::string_view(argv[1]) == "--check";
  bool writing = argc == 2 && !std::string_view(argv[1]).starts_with("-");
  if (checking) return check(argv[2]);
  if (writing) return generate(argv[1]);
  std::cerr << "usage: crdgen ROOT | crdgen --check ROOT\n";
  return 2;
}
