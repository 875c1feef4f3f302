#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <ostream>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/image/image.h"
#include "cli/shim_files.h"

namespace pilotlight::cli {

namespace fs = std::filesystem;

namespace {

using Failure = std::unexpected<std::string>;

constexpr const char* kFolder = "pilotlight";  // core::kShimDirectory, where the operator expects it
constexpr const char* kLabel = "dev.pilotlight.shim";
constexpr std::uintmax_t kMaxProgram = 64U << 20;

std::expected<std::string, std::string> readProgram(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size > kMaxProgram) return Failure(fmt::format("{}: {}", path, error ? error.message() : "too large to be it"));
  std::ifstream file(path, std::ios::binary);
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (content.size() != size) return Failure(path + ": it cannot be read");
  return content;
}

/// By the ELF header's e_machine, as image configurations call it.
std::expected<std::string, std::string> architectureOf(const std::string& program) {
  constexpr std::size_t kMachine = 18;
  const bool elf = program.starts_with(
                       "\x7f"
                       "ELF") &&
                   program.size() > kMachine + 1;
  const int machine = elf ? static_cast<unsigned char>(program[kMachine]) | static_cast<unsigned char>(program[kMachine + 1]) << 8 : 0;
  if (machine == 62) return "amd64";
  if (machine == 183) return "arm64";
  return Failure("pilotlight-shim is no program for amd64 or arm64");
}

struct Programs {
  std::string shim, nativeHost;  // their content
  std::string architecture;
};

std::expected<Programs, std::string> readPrograms(const ShimFiles& files) {
  auto shim = readProgram(files.shim);
  if (!shim) return Failure(shim.error());
  auto architecture = architectureOf(*shim);
  if (!architecture) return Failure(architecture.error());
  auto host = files.nativeHost.empty() ? std::string() : readProgram(files.nativeHost);
  if (!host) return Failure(host.error());
  return Programs{*std::move(shim), *std::move(host), *std::move(architecture)};
}

std::string layerOf(const Programs& programs) {
  std::string bytes;
  TarWriter tar([&](std::string_view part) { bytes += part; });
  tar.folder(kFolder);
  tar.file(std::string(kFolder) + "/pilotlight-shim", programs.shim, 0755);
  if (!programs.nativeHost.empty()) tar.file(std::string(kFolder) + "/pilotlight-native-host", programs.nativeHost, 0755);
  tar.finish();
  return bytes;
}

std::expected<void, std::string> buildArchive(const BuildOptions& options, const ShimFiles& files) {
  const auto programs = readPrograms(files);
  if (!programs) return Failure(programs.error());
  auto archive = TarFile::open(options.from);
  if (!archive) return Failure(archive.error());
  auto image = readImage(*archive, programs->architecture);
  if (!image) return Failure(options.from + ": " + image.error());
  addLayer(*image, {layerOf(*programs), std::string("pilotlight build ") + kProductVersion});
  setLabel(*image, kLabel, kProductVersion);
  return writeImage(*image, *archive, options.tag, options.output);
}

/// A folder for a builder, gone with this object.
class BuildFolder {
 public:
  BuildFolder() {
    std::string pattern = (fs::temp_directory_path() / "pilotlight-build-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~BuildFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  BuildFolder(const BuildFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// With the caller's own streams. Its exit code.
std::expected<int, std::string> runBuilder(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  if (const int error = ::posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ); error != 0)
    return Failure(fmt::format("{} cannot be started: {}", words.front(), std::generic_category().message(error)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return Failure(words.front() + ": lost");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::expected<void, std::string> buildWith(const BuildOptions& options, const ShimFiles& files) {
  if (options.from.find_first_of(" \t\r\n") != std::string::npos) return Failure("--from: no image's name has blanks");
  const BuildFolder folder;
  std::error_code error;
  fs::create_directory(folder.path() / kFolder, error);
  for (const auto& file : {files.shim, files.nativeHost}) {
    if (!error && !file.empty()) fs::copy_file(file, folder.path() / kFolder / fs::path(file).filename(), error);
  }
  if (!error) std::ofstream(folder.path() / "Dockerfile") << fmt::format("FROM {}\nCOPY {}/ /{}/\n", options.from, kFolder, kFolder);
  if (error) return Failure("the builder's folder cannot be made: " + error.message());
  const std::string label = fmt::format("{}={}", kLabel, kProductVersion);
  const auto code = runBuilder({options.builder, "build", "--label", label, "--tag", options.tag, folder.path().string()});
  if (!code) return Failure(code.error());
  if (*code != 0) return Failure(fmt::format("{} build ended with {}", options.builder, *code));
  return {};
}

}  // namespace

int build(Context& context, const BuildOptions& options) {
  if (options.builder.empty() == options.output.empty()) return fail(context, "give either --output for an archive, or --builder");
  if (const auto name = fullImageName(options.tag); !name) return fail(context, "--tag: " + name.error());
  const auto files = findShim(context, options.shim);
  if (!files) return fail(context, files.error());
  const auto done = options.builder.empty() ? buildArchive(options, *files) : buildWith(options, *files);
  if (!done) return fail(context, done.error());
  context.out << fmt::format(
      "{} has the shim {}{}{}.\n"
      "Say so in the Function, or it is copied in at each start:\n"
      "  spec:\n"
      "    image: {}\n"
      "    pod: {{annotations: {{pilotlight.dev/shim-in-image: \"true\"}}}}\n",
      options.tag, kProductVersion, options.output.empty() ? "" : " and is in ", options.output, options.tag);
  return 0;
}

}  // namespace pilotlight::cli
