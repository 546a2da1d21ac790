#include "extension_list.h"

#include <algorithm>

namespace plait::http::detail {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kNoToken = " \t\"(),/:;<=>?@[\\]{}";

bool isTokenCharacter(char character) noexcept {
  const auto byte = static_cast<unsigned char>(character);
  return byte > 0x20 && byte < 0x7f && kNoToken.find(character) == std::string_view::npos;
}

// What is left of a field's value.
class Scanner final {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) { skipBlanks(); }

  bool isAtEnd() const noexcept { return rest_.empty(); }
  bool take(char character) noexcept {
    if (!rest_.starts_with(character)) return false;
    rest_.remove_prefix(1);
    skipBlanks();
    return true;
  }
  // Empty if there is none.
  std::string_view takeToken() noexcept {
    const auto* const end = std::find_if_not(rest_.begin(), rest_.end(), isTokenCharacter);
    const std::string_view token(rest_.begin(), end);
    rest_.remove_prefix(token.size());
    skipBlanks();
    return token;
  }
  std::string_view takeValue() noexcept {
    if (!rest_.starts_with('"')) return takeToken();
    rest_.remove_prefix(1);
    const std::string_view token = takeToken();
    return take('"') ? token : std::string_view();
  }

 private:
  void skipBlanks() noexcept {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
  }
  std::string_view rest_;
};

bool readExtension(Scanner& scanner, Extension& into) {
  into.name = scanner.takeToken();
  if (into.name.empty()) return false;
  while (scanner.take(';')) {
    ExtensionParameter parameter;
    parameter.name = scanner.takeToken();
    if (parameter.name.empty()) return false;
    if (scanner.take('=')) {
      parameter.value = scanner.takeValue();
      if (parameter.value->empty()) return false;
    }
    into.parameters.push_back(parameter);
  }
  return true;
}

}  // namespace

std::optional<std::vector<Extension>> parseExtensions(const Fields& fields) {
  std::vector<Extension> extensions;
  for (const std::string_view value : fields.all("Sec-WebSocket-Extensions")) {
    Scanner scanner(value);
    while (!scanner.isAtEnd()) {
      // A list may have empty elements.
      if (scanner.take(',')) continue;
      Extension extension;
      if (!readExtension(scanner, extension)) return std::nullopt;
      if (!scanner.isAtEnd() && !scanner.take(',')) return std::nullopt;
      extensions.push_back(std::move(extension));
    }
  }
  return extensions;
}

std::vector<std::string_view> tokensOf(const Fields& fields, std::string_view name) {
  std::vector<std::string_view> tokens;
  for (const std::string_view value : fields.all(name)) {
    Scanner scanner(value);
    while (!scanner.isAtEnd()) {
      const std::string_view token = scanner.takeToken();
      if (!token.empty()) tokens.push_back(token);
      if (!scanner.take(',') && token.empty()) break;
    }
  }
  return tokens;
}

}  // namespace plait::http::detail
