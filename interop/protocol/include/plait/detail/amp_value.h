// How AMP writes values: integers and booleans as Twisted's text, lists with a length before each.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace plait::amp::detail {

template <class T>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = true;

std::string encodeDouble(double value);
double decodeDouble(std::string_view text);                    // Throws: std::invalid_argument.
void appendCounted(std::string& list, std::string_view item);  // Throws: LimitError.
std::string_view takeCounted(std::string_view& list);          // Throws: std::invalid_argument.

template <class T>
std::string encode(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::floating_point<T>) {
    return encodeDouble(value);
  } else if constexpr (kIsList<T>) {
    std::string list;
    for (const auto& each : value) appendCounted(list, encode<typename T::value_type>(each));
    return list;
  } else {
    return std::string(value);
  }
}

// Throws: std::invalid_argument.
template <class T>
T decode(std::string_view text) {
  if constexpr (std::same_as<T, bool>) {
    if (text == "True") return true;
    if (text == "False") return false;
    throw std::invalid_argument("'" + std::string(text) + "' is no boolean");
  } else if constexpr (std::integral<T>) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw std::invalid_argument("'" + std::string(text) + "' is no integer that fits");
    }
    return value;
  } else if constexpr (std::floating_point<T>) {
    return static_cast<T>(decodeDouble(text));
  } else if constexpr (kIsList<T>) {
    T list;
    while (!text.empty()) list.push_back(decode<typename T::value_type>(takeCounted(text)));
    return list;
  } else {
    return T(text);
  }
}

}  // namespace plait::amp::detail
