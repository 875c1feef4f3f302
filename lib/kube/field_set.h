// Sets of fields of an object, as server-side apply counts them (structured-merge-diff's Set).
//
// A path is a row of elements: `f:name` (a member), `k:{"name":"main"}` (an element of a list map), `v:"x"` (an element of
// a set). A node that is a `member` belongs to the set itself; its children may belong to it too.
// Thread-safety: plain values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::kube {

struct FieldSet {
  bool member = false;
  std::map<std::string, FieldSet, std::less<>> children;

  bool empty() const { return !member && children.empty(); }
  const FieldSet* child(std::string_view element) const;

  void add(const FieldSet& other);
  void subtract(const FieldSet& other);
  FieldSet intersect(const FieldSet& other) const;

  /// As kubectl shows them: .spec.template.spec.containers[name="main"].image
  std::vector<std::string> paths() const;

  /// A compact form for keeping: about as many bytes as the elements have.
  std::string pack() const;
  static FieldSet unpack(std::string_view packed);

  bool operator==(const FieldSet&) const = default;
};

}  // namespace pilotlight::kube
