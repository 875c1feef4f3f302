// SHA-256 and gzip, in parts. Thread-safety: one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace pilotlight::cli {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  void update(std::string_view part);
  std::string digest();  ///< "sha256:0123…"; once, at the end

 private:
  evp_md_ctx_st* context_;
};

std::string sha256Of(std::string_view text);
/// The same input gives the same bytes: no name and no time in it.
std::string gzip(std::string_view text);

}  // namespace pilotlight::cli
