// Where a run of allowed bytes ends: in a name, a target, a field value. Internal to lib/net.
//
// Sixteen bytes at a time where SSE2 is there (always on amd64), else byte by byte; the table is what counts in both.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pilotlight::net {

enum class CharClass : std::uint8_t {
  token = 1,   ///< tchar (RFC 9110 5.6.2)
  value = 2,   ///< of a field: HTAB, SP, VCHAR, obs-text
  target = 4,  ///< of a request: VCHAR without '#', and obs-text
  host = 8,    ///< of a name or an IPv4 address; none of the punctuation that RFC 3986 allows besides and nobody uses
  digit = 16,
  method = 32,  ///< of registered methods and those like them; a token may hold more
};

constexpr std::array<std::uint8_t, 256> makeCharClasses() {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&](unsigned c, CharClass cls) { classes[c] |= static_cast<std::uint8_t>(cls); };
  for (unsigned c = 0; c < 256; ++c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) add(c, CharClass::token), add(c, CharClass::host);
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) add(c, CharClass::value);
    if (c >= '0' && c <= '9') add(c, CharClass::digit);
    if ((c >= 'A' && c <= 'Z') || c == '-' || c == '_') add(c, CharClass::method);
    if (c > 0x20 && c != 0x7f && c != '#') add(c, CharClass::target);
  }
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) add(static_cast<unsigned char>(c), CharClass::token);
  for (char c : std::string_view("-._~")) add(static_cast<unsigned char>(c), CharClass::host);
  return classes;
}
inline constexpr auto kCharClasses = makeCharClasses();

inline bool is(char c, CharClass cls) {
  return kCharClasses[static_cast<unsigned char>(c)] & static_cast<std::uint8_t>(cls);
}

#if defined(__SSE2__)
inline __m128i atMost(__m128i bytes, unsigned char limit) {
  return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(static_cast<char>(limit))), bytes);
}
inline __m128i within(__m128i bytes, unsigned char low, unsigned char high) {
  return atMost(_mm_sub_epi8(bytes, _mm_set1_epi8(static_cast<char>(low))), static_cast<unsigned char>(high - low));
}
inline __m128i equals(__m128i bytes, char c) {
  return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

/// A bit for each of the sixteen bytes that may not be in the class. Exact but for tokens, where the rare punctuation has
/// a bit as well.
template <CharClass cls>
unsigned suspects(__m128i bytes) {
  static_assert(cls == CharClass::token || cls == CharClass::value || cls == CharClass::target);
  if constexpr (cls == CharClass::value) {
    const __m128i control = _mm_andnot_si128(equals(bytes, '\t'), atMost(bytes, 0x1f));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(control, equals(bytes, 0x7f))));
  } else if constexpr (cls == CharClass::target) {
    const __m128i other = _mm_or_si128(equals(bytes, '#'), equals(bytes, 0x7f));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(atMost(bytes, 0x20), other)));
  } else {
    const __m128i letter = within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i other = _mm_or_si128(equals(bytes, '-'), within(bytes, '0', '9'));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(letter, other))) ^ 0xffffu;
  }
}
#endif

/// skip(), byte by byte: for what is short.
template <CharClass cls>
const char* skipShort(const char* at, const char* end) {
  while (at != end && is(*at, cls)) ++at;
  return at;
}

/// The first byte from `at` on that is not in the class; `end` when all are.
template <CharClass cls>
const char* skip(const char* at, const char* end) {
#if defined(__SSE2__)
  while (end - at >= 16) {
    const unsigned found = suspects<cls>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    if (found == 0) {
      at += 16;
      continue;
    }
    at += std::countr_zero(found | 1u << 16);  // of what is not 0 by its looks
    if (!is(*at, cls)) return at;
    ++at;
  }
#endif
  return skipShort<cls>(at, end);
}

template <CharClass cls>
bool all(std::string_view text) {
  return skipShort<cls>(text.data(), text.data() + text.size()) == text.data() + text.size();
}

}  // namespace pilotlight::net
