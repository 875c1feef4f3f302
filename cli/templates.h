// The files of `pilotlight init`, compiled in. See cli/templates/ and embed.cmake.
#pragma once

#include <string_view>
#include <vector>

namespace pilotlight::cli {

struct TemplateFile {
  std::string_view path;     ///< "cpp/function.yaml"; the first folder is the kind
  std::string_view content;  ///< {{name}} stands for the function's name
};

const std::vector<TemplateFile>& templateFiles();

}  // namespace pilotlight::cli
