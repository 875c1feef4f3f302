#include "net/http2_fields.h"

namespace pilotlight::net {

namespace {

/// Fields of one connection (RFC 9113 8.2.2), the lengths that the framing tells, and Host, which is :authority here.
bool isLeftOut(std::string_view name) {
  switch (name.size()) {
    case 4:
      return equalsIgnoreCase(name, "host");
    case 14:
      return equalsIgnoreCase(name, "content-length");
    case 2:
    case 7:
    case 10:
    case 16:
    case 17:
      return isHopByHop(name);
    default:
      return name.empty() || name.front() == ':';
  }
}

std::uint8_t* bytesOf(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // nghttp2 only reads them
}

}  // namespace

void FieldList::add(std::string_view name, std::string_view value) {
  if (size_ == kRoom) return;
  fields_[size_++] = {bytesOf(name), bytesOf(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

void FieldList::addRegular(std::span<const Header> fields) {
  for (const Header& field : fields)
    if (!isLeftOut(field.name)) add(field.name, field.value);
}

void StoredFields::assign(std::span<const Header> fields) {
  clear();
  for (const Header& field : fields) {
    text_.append(field.name).append(field.value);
    sizes_.emplace_back(field.name.size(), field.value.size());
  }
}

void StoredFields::clear() {
  text_.clear();
  sizes_.clear();
}

void StoredFields::addTo(FieldList& list) const {
  std::string_view rest = text_;
  for (const auto& [nameSize, valueSize] : sizes_) {
    const Header field{rest.substr(0, nameSize), rest.substr(nameSize, valueSize)};
    list.addRegular({&field, 1});
    rest.remove_prefix(nameSize + valueSize);
  }
}

}  // namespace pilotlight::net
