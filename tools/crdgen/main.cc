// crdgen ROOT writes crds/*.yaml, docs/reference.md and docs/settings.md below ROOT.
// crdgen --check ROOT writes nothing: it names the files that differ and exits 1 when there are any.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "api/settings_file.h"
#include "gateway/settings.h"
#include "operator/settings.h"
#include "runtime-shim/settings.h"

namespace {

namespace fs = std::filesystem;
using pilotlight::api::GeneratedFile;

std::vector<GeneratedFile> allFiles() {
  auto files = pilotlight::api::generatedFiles();
  const pilotlight::api::SettingsTable* tables[] = {&pilotlight::gateway::settings(), &pilotlight::op::settings(),
                                                    &pilotlight::shim::settingsTable()};
  files.push_back({"docs/settings.md", pilotlight::api::settingsReference(tables)});
  return files;
}

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
  for (const GeneratedFile& file : allFiles()) {
    if (contentOf(root / file.path) == file.content) continue;
    std::cerr << file.path << ": not what the tables say; run make crds\n";
    result = 1;
  }
  return result;
}

int generate(const fs::path& root) {
  for (const GeneratedFile& file : allFiles()) {
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
