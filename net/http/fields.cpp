#include <algorithm>
#include <array>
#include <stdexcept>

#include "plait/http_fields.h"

namespace plait::http {
namespace {

constexpr char lower(char character) noexcept {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character | 0x20) : character;
}

constexpr auto kTokenCharacters = [] {
  std::array<bool, 256> table{};
  for (char each = '0'; each <= '9'; ++each) table[static_cast<unsigned char>(each)] = true;
  for (char each = 'a'; each <= 'z'; ++each) table[static_cast<unsigned char>(each)] = true;
  for (char each = 'A'; each <= 'Z'; ++each) table[static_cast<unsigned char>(each)] = true;
  for (const char each : std::string_view("!#$%&'*+-.^_`|~")) {
    table[static_cast<unsigned char>(each)] = true;
  }
  return table;
}();

constexpr bool isTokenCharacter(char character) noexcept {
  return kTokenCharacters[static_cast<unsigned char>(character)];
}

constexpr bool isValueCharacter(char character) noexcept {
  const auto byte = static_cast<unsigned char>(character);
  return character == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

void check(std::string_view name, std::string_view value) {
  if (name.empty() ||
      !std::all_of(name.begin(), name.end(), [](char each) { return isTokenCharacter(each); })) {
    throw std::invalid_argument("a field's name is a token; this is none: '" + std::string(name) +
                                "'");
  }
  if (!std::all_of(value.begin(), value.end(), [](char each) { return isValueCharacter(each); })) {
    throw std::invalid_argument(
        "the value of the field '" + std::string(name) +
        "' has a control character; a line's end would begin another field");
  }
}

}  // namespace

bool equalsNoCase(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](char left, char right) { return lower(left) == lower(right); });
}

Fields::Fields(std::initializer_list<Field> fields) {
  for (const Field& each : fields) add(each.name, each.value);
}

void Fields::add(std::string_view name, std::string_view value) {
  value = trimmed(value);
  check(name, value);
  const auto begin = static_cast<std::uint32_t>(text_.size());
  text_.append(name).append(value);
  places_.push_back(
      {begin, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
}

void Fields::set(std::string_view name, std::string_view value) {
  // Both may be views into this object.
  const std::string ownName(name);
  const std::string ownValue(value);
  check(ownName, trimmed(ownValue));
  remove(ownName);
  add(ownName, ownValue);
}

void Fields::remove(std::string_view name) {
  const std::string own(name);
  Fields rest;
  for (const Field each : *this) {
    if (!equalsNoCase(each.name, own)) rest.add(each.name, each.value);
  }
  if (rest.size() != size()) *this = std::move(rest);
}

void Fields::clear() noexcept {
  text_.clear();
  places_.clear();
}

std::optional<std::string_view> Fields::find(std::string_view name) const noexcept {
  for (const Field each : *this) {
    if (equalsNoCase(each.name, name)) return each.value;
  }
  return std::nullopt;
}

std::string_view Fields::get(std::string_view name, std::string_view otherwise) const noexcept {
  return find(name).value_or(otherwise);
}

std::size_t Fields::count(std::string_view name) const noexcept {
  std::size_t result = 0;
  for (const Field each : *this) result += equalsNoCase(each.name, name) ? 1 : 0;
  return result;
}

std::vector<std::string_view> Fields::all(std::string_view name) const {
  std::vector<std::string_view> result;
  for (const Field each : *this) {
    if (equalsNoCase(each.name, name)) result.push_back(each.value);
  }
  return result;
}

bool Fields::hasToken(std::string_view name, std::string_view token) const noexcept {
  for (const Field each : *this) {
    if (!equalsNoCase(each.name, name)) continue;
    for (std::string_view rest = each.value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (equalsNoCase(trimmed(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

Field Fields::operator[](std::size_t index) const noexcept {
  const Place& place = places_[index];
  const std::string_view text = text_;
  return {text.substr(place.name, place.nameBytes),
          text.substr(place.name + place.nameBytes, place.valueBytes)};
}

}  // namespace plait::http
