// Fields of HTTP/2 messages on their way out of and into nghttp2. Internal to lib/net.
#pragma once

#include <nghttp2/nghttp2.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http1.h"

namespace pilotlight::net {

inline std::string_view textOf(nghttp2_rcbuf* buffer) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

/// What received fields consist of: nghttp2's own counted buffers, so that nothing is copied. Views live until clear().
class HeldBuffers {
 public:
  HeldBuffers() = default;
  ~HeldBuffers() { clear(); }
  HeldBuffers(const HeldBuffers&) = delete;
  HeldBuffers& operator=(const HeldBuffers&) = delete;

  std::string_view hold(nghttp2_rcbuf* buffer) {
    nghttp2_rcbuf_incref(buffer);
    held_.push_back(buffer);
    return textOf(buffer);
  }
  void clear() {
    for (nghttp2_rcbuf* buffer : held_) nghttp2_rcbuf_decref(buffer);
    held_.clear();
  }

 private:
  std::vector<nghttp2_rcbuf*> held_;
};

/// A section as the limits count it: names, values, and what separates them in HTTP/1.1.
struct SectionSize {
  std::size_t bytes = 0, fields = 0;

  /// False: more than allowed.
  bool add(std::string_view name, std::string_view value, std::size_t mostBytes, std::size_t mostFields) {
    bytes += name.size() + value.size() + 4;
    fields += !name.starts_with(':');
    return bytes <= mostBytes && fields <= mostFields;
  }
};
constexpr std::size_t kTrailerBytes = 8 * 1024;
constexpr std::size_t kTrailerFields = 64;

/// A section to submit. Names get their lower case from nghttp2, which copies everything when it is submitted.
class FieldList {
 public:
  FieldList() {}
  void add(std::string_view name, std::string_view value);
  /// What belongs to one connection of HTTP/1.1, or is said in another way, is left out: see http2_fields.cc.
  void addRegular(std::span<const Header> fields);
  const nghttp2_nv* data() const { return fields_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kRoom = 2 * Headers::kMax;
  union {
    nghttp2_nv fields_[kRoom];
  };
  std::size_t size_ = 0;
};

/// A copy of trailer fields, kept until the body is sent.
class StoredFields {
 public:
  void assign(std::span<const Header> fields);
  bool empty() const { return sizes_.empty(); }
  void clear();
  void addTo(FieldList& list) const;

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, std::size_t>> sizes_;  // of name and value
};

}  // namespace pilotlight::net
