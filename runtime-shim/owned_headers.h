// Header fields copied into one buffer. Not thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/http1.h"

namespace pilotlight::shim {

class OwnedHeaders {
 public:
  std::size_t size() const { return fields_.size(); }
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({text_.size(), name.size(), value.size()});
    text_.append(name).append(value);
  }
  void remove(std::string_view name) {
    std::erase_if(fields_, [&](const Field& field) { return net::equalsIgnoreCase(view(field).name, name); });
  }
  /// Views stay valid until the next change.
  net::Header operator[](std::size_t index) const { return view(fields_[index]); }
  std::span<const net::Header> all() {
    views_.clear();
    for (const Field& field : fields_) views_.push_back(view(field));
    return views_;
  }
  /// The first value with this name; empty when absent.
  std::string_view get(std::string_view name) const {
    for (const Field& field : fields_) {
      if (field.nameSize == name.size() && net::equalsIgnoreCase(view(field).name, name)) return view(field).value;
    }
    return {};
  }
  /// Keeps its room for the next use, unless that is a lot.
  void clear() {
    fields_.clear();
    if (text_.capacity() > kKept) text_ = {};
    text_.clear();
  }

 private:
  static constexpr std::size_t kKept = 4096;
  struct Field {
    std::size_t at, nameSize, valueSize;
  };
  net::Header view(const Field& field) const {
    std::string_view text(text_);
    return {text.substr(field.at, field.nameSize), text.substr(field.at + field.nameSize, field.valueSize)};
  }

  std::string text_;
  std::vector<Field> fields_;
  std::vector<net::Header> views_;  // what all() has given out
};

}  // namespace pilotlight::shim
