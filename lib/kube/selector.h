// Equality-based label selectors: "a=b,c==d,e!=f,g,!h". All terms must hold. An empty selector matches everything.
// Thread-safety: immutable values.
#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kube/types.h"

namespace pilotlight::kube {

class LabelSelector {
 public:
  /// The error says which term is wrong and what is allowed.
  static std::expected<LabelSelector, std::string> parse(std::string_view text);

  bool empty() const { return terms_.empty(); }
  bool matches(const Object& object) const;

 private:
  enum class Op { equals, differs, exists, absent };
  struct Term {
    Op op = Op::equals;
    std::string label, value;
  };
  std::vector<Term> terms_;
};

/// "a.b=c,d=e" on fields of the object, all of which must hold. An absent field is "".
class FieldSelector {
 public:
  static std::expected<FieldSelector, std::string> parse(std::string_view text);
  bool empty() const { return terms_.empty(); }
  bool matches(const Object& object) const;

 private:
  struct Term {
    std::string pointer, value;
  };
  std::vector<Term> terms_;
};

/// apiVersion, kind and metadata alone.
Object metadataOf(const Object& object);

}  // namespace pilotlight::kube
