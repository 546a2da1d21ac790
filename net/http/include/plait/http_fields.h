// The header fields of an HTTP message, and those of a trailer: in order, names without case, a
// name as often as it comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plait::http {

struct Field {
  std::string_view name;
  std::string_view value;
};

// All text is in one block, so that a connection that reuses its Fields allocates nothing. Views
// are good until the next change. Never switches.
class Fields final {
 public:
  Fields() = default;
  Fields(std::initializer_list<Field> fields);

  // Throw: std::invalid_argument for a name that is no token and for a value with a control
  // character (a line's end would begin a field of somebody else's choice).
  void add(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);  // instead of all of that name
  void remove(std::string_view name);
  void clear() noexcept;  // keeps the memory

  // The first of that name.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  std::string_view get(std::string_view name, std::string_view otherwise = {}) const noexcept;
  bool has(std::string_view name) const noexcept { return find(name).has_value(); }
  std::size_t count(std::string_view name) const noexcept;
  std::vector<std::string_view> all(std::string_view name) const;
  // Whether `token` is in a list as "Connection: keep-alive, Upgrade", without case.
  bool hasToken(std::string_view name, std::string_view token) const noexcept;

  std::size_t size() const noexcept { return places_.size(); }
  bool isEmpty() const noexcept { return places_.empty(); }
  Field operator[](std::size_t index) const noexcept;

  class Iterator final {
   public:
    Iterator(const Fields& fields, std::size_t index) noexcept : fields_(&fields), index_(index) {}
    Field operator*() const noexcept { return (*fields_)[index_]; }
    Iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator& other) const noexcept { return index_ == other.index_; }

   private:
    const Fields* fields_;
    std::size_t index_;
  };
  Iterator begin() const noexcept { return {*this, 0}; }
  Iterator end() const noexcept { return {*this, size()}; }

 private:
  struct Place {
    std::uint32_t name;  // where in text_ it begins; the value follows
    std::uint32_t nameBytes;
    std::uint32_t valueBytes;
  };
  std::string text_;
  std::vector<Place> places_;
};

// As HTTP compares names and tokens: ASCII without case.
bool equalsNoCase(std::string_view a, std::string_view b) noexcept;

}  // namespace plait::http
