// Who owns which fields of one object: what metadata.managedFields says, kept packed.
// Thread-safety: plain values.
#pragma once

#include <compare>
#include <expected>
#include <string>
#include <vector>

#include "kube/field_set.h"
#include "kube/schema.h"
#include "kube/types.h"

namespace pilotlight::kube {

struct Manager {
  enum class How { apply, update };
  std::string name;
  How how = How::apply;
  std::string subresource;  ///< "", "status" or "scale": each is an entry of its own
  auto operator<=>(const Manager&) const = default;
};

class Ownership {
 public:
  struct Conflict {
    Manager manager;
    FieldSet fields;
  };

  FieldSet of(const Manager& manager) const;
  FieldSet ofOthers(const Manager& manager) const;
  /// Which others own some of `changed`.
  std::vector<Conflict> conflicts(const Manager& manager, const FieldSet& changed) const;

  void set(const Manager& manager, const FieldSet& fields);
  /// Takes `fields` from everyone but `manager`.
  void takeFromOthers(const Manager& manager, const FieldSet& fields);
  /// After a write that is no apply: `manager` owns what it changed, alone; nobody owns what is gone.
  void updated(const Manager& manager, const FieldSet& changed, const FieldSet& removed);

  bool operator==(const Ownership&) const = default;

 private:
  struct Entry {
    Manager manager;
    std::string fields;  // packed
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries_;  // no empty ones
};

struct Applied {
  Json object;
  Ownership owners;
};

/// One server-side apply: merges `config` into `live`, removes what the manager applied before and no longer does, and
/// gives it its fields. Conflicting fields are taken over with `force`. The error: conflict or invalid, and the message.
struct ApplyFailure {
  ErrorCode code;
  std::string message;  ///< as the API server words it: names the managers and the fields
};
std::expected<Applied, ApplyFailure> applyConfig(const Json& live, const Ownership& owners, const Json& config, const Manager& manager,
                                                 bool force, const Shape& shape);

}  // namespace pilotlight::kube
