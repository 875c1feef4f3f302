// The only file that includes the tables: everything else walks their descriptors.
#include "api/tables.h"

#include <cstdlib>

#include "api/kinds.h"

namespace pilotlight::api {
namespace {

constexpr std::array kFunctionColumns = {
    Column{"Ready", "string", R"(.status.conditions[?(@.type=="Ready")].status)"},
    Column{"Replicas", "integer", ".status.replicas"},
    Column{"URL", "string", ".status.url"},
    Column{"Warm", "integer", ".status.readyReplicas", 1},
    Column{"Parked", "integer", ".status.parkedReplicas", 1},
    Column{"Stable", "integer", ".status.versions.stable", 1},
    Column{"Latest", "integer", ".status.versions.latest", 1},
    Column{"Reason", "string", R"(.status.conditions[?(@.type=="Ready")].reason)", 1},
    Column{"Age", "date", ".metadata.creationTimestamp"},
};
constexpr std::array kVersionColumns = {
    Column{"Function", "string", ".spec.function"},
    Column{"Number", "integer", ".spec.number"},
    Column{"Image", "string", ".spec.image"},
    Column{"Runtime", "string", ".spec.runtime", 1},
    Column{"Age", "date", ".metadata.creationTimestamp"},
};
constexpr std::array kRouteColumns = {
    Column{"Function", "string", ".spec.function"},
    Column{"Visibility", "string", ".spec.visibility"},
    Column{"Age", "date", ".metadata.creationTimestamp"},
};

// A version's name is its Function's and a number, so a Function's name leaves room for it within a DNS label.
constexpr std::uint32_t kMaxFunctionName = 52;

constexpr std::array kKinds = {
    KindInfo{"Function", "functions", "function", "fn", kMaxFunctionName, true, true, kFunctionColumns, &Described<Function>::value},
    KindInfo{"FunctionVersion", "functionversions", "functionversion", "fnv", 63, false, false, kVersionColumns,
             &Described<FunctionVersion>::value},
    KindInfo{"FunctionRoute", "functionroutes", "functionroute", "", kMaxFunctionName, true, false, kRouteColumns,
             &Described<FunctionRoute>::value},
};

}  // namespace

std::span<const KindInfo> kinds() {
  return kKinds;
}

const KindInfo* findKind(std::string_view kind) {
  for (const KindInfo& info : kKinds) {
    if (info.kind == kind) return &info;
  }
  return nullptr;
}

const KindInfo& functionKind() {
  return kKinds[0];
}
const KindInfo& functionVersionKind() {
  return kKinds[1];
}
const KindInfo& functionRouteKind() {
  return kKinds[2];
}

const Field& part(const KindInfo& kind, std::string_view name) {
  for (const Field& field : kind.object->fields) {
    if (field.name == name) return field;
  }
  std::abort();
}

const Struct& conditionStruct() {
  return Described<Condition>::value;
}
const Struct& functionSpecStruct() {
  return Described<FunctionSpec>::value;
}

bool isEmpty(const Type& type, const void* value) {
  switch (type.kind) {
    case Kind::string:
      return static_cast<const std::string*>(value)->empty();
    case Kind::map:
      return static_cast<const StringMap*>(value)->empty();
    case Kind::list:
    case Kind::optional:
      return type.size(value) == 0;
    case Kind::object:
      return std::ranges::all_of(type.object->fields, [value](const Field& field) { return isEmpty(*field.type, field.in(value)); });
    default:
      return false;
  }
}

}  // namespace pilotlight::api
