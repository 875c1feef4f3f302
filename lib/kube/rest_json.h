// Reading what an API server sends: objects, lists, without the parts that nobody here asks for. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "kube/client.h"

namespace pilotlight::kube {

/// Text as JSON, without metadata.managedFields where the metadata is `depth` objects or arrays deep: 0 for an object,
/// 1 for a watch event, 2 for a list. The error: it is not JSON, or no object.
std::expected<Json, std::string> parseWithoutManagedFields(std::string_view text, int depth);

/// A list's page. Items of built-in kinds come without apiVersion and kind, and get them.
std::expected<ObjectList, std::string> parseList(std::string_view text, const Resource& resource);

}  // namespace pilotlight::kube
