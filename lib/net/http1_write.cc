#include "net/http1_write.h"

#include <cstdint>
#include <cstring>

namespace pilotlight::net {

namespace {

/// Most names and values are shorter than what a call of memcpy is worth: two overlapping words do.
char* copyShort(char* to, std::string_view text) {
  const std::size_t size = text.size();
  const char* from = text.data();
  const auto words = [&]<class Word>(Word) {
    Word first, last;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + size - sizeof last, sizeof last);
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + size - sizeof last, &last, sizeof last);
  };
  if (size > 16)
    std::memcpy(to, text.data(), size);
  else if (size >= 8)
    words(std::uint64_t{});
  else if (size >= 4)
    words(std::uint32_t{});
  else
    for (std::size_t i = 0; i < size; ++i) to[i] = text[i];
  return to + size;
}

}  // namespace

void writeFields(OutBuffer& out, std::span<const Header> fields) {
  std::size_t size = 0;
  for (const Header& field : fields) size += field.name.size() + field.value.size() + 4;
  char* at = out.room(size);
  if (!at) {
    for (const Header& field : fields) {
      out.append(field.name);
      out.append(": ");
      out.append(field.value);
      out.append("\r\n");
    }
    return;
  }
  for (const Header& field : fields) {
    at = copyShort(at, field.name);
    *at++ = ':';
    *at++ = ' ';
    at = copyShort(at, field.value);
    *at++ = '\r';
    *at++ = '\n';
  }
  out.used(size);
}

}  // namespace pilotlight::net
