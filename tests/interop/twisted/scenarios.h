// The stories of scenarios.py, told by plait. Each is a function that takes a Teller; the names and
// the lines are the same.
#pragma once

#include <functional>
#include <iostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/deferred.h"
#include "plait/detail/type_name.h"
#include "plait/error.h"

namespace plait::stories {

struct Boom : std::runtime_error {
  Boom() : runtime_error("boom") {}
};
struct Other : std::runtime_error {
  Other() : runtime_error("other") {}
};

template <class T>
std::string text(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (requires { value.begin(); } && !std::is_convertible_v<T, std::string>) {
    std::string list;
    for (const auto& each : value) list += (list.empty() ? "" : ", ") + text(each);
    return "[" + list + "]";
  } else {
    return value;
  }
}

// The class of the exception, without its namespace.
inline std::string className(const Failure& failure) {
  const std::string message = failure.message();
  const std::string type = message.substr(0, message.find(": "));
  return type.substr(type.rfind(':') == std::string::npos ? 0 : type.rfind(':') + 1);
}

class Teller final {
 public:
  explicit Teller(std::string name) : name_(std::move(name)) {}

  template <class... Words>
  void operator()(const Words&... words) const {
    std::string line = name_ + ":";
    ((line += " " + text(words)), ...);
    std::cout << line << "\n";
  }

  auto value(const char* label) const {
    return [tell = *this, label](auto result) {
      tell(label, "value", result);
      return result;
    };
  }
  template <class T>
  auto recover(const char* label, T result) const {
    return [tell = *this, label, result](const Failure& failure) {
      tell(label, "failure", className(failure));
      return result;
    };
  }
  template <class F>
  void attempt(const char* label, F&& f) const {
    try {
      f();
      (*this)(label, "ok");
    } catch (...) {
      (*this)(label, "throws", className(Failure()));
    }
  }

 private:
  std::string name_;
};

struct Story {
  const char* name;
  void (*tell)(const Teller&);
};

// scenarios_chain.cpp, scenarios_work.cpp
extern const std::vector<Story> kChainStories;
extern const std::vector<Story> kWorkStories;

}  // namespace plait::stories
