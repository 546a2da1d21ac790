#include <array>
#include <cstdio>
#include <ctime>

#include "plait/http_server.h"

namespace plait::http {
namespace {

// A client must not end the line or the quotes.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte >= 0x7f || each == '"' || each == '\\') {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\x%02x", byte);
      result += code.data();
    } else {
      result += each;
    }
  }
  return result;
}

}  // namespace

std::string commonLogLine(const AccessRecord& record) {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> time{};
  std::strftime(time.data(), time.size(), "%d/%b/%Y:%H:%M:%S +0000", &parts);
  const std::string host =
      record.peer.family() == net::Family::unixSocket ? "unix" : record.peer.host();
  const std::string request = record.method.empty()
                                  ? "-"
                                  : escaped(record.method) + " " + escaped(record.target) +
                                        " HTTP/1." + std::to_string(record.version - 10);
  return host + " - - [" + time.data() + "] \"" + request + "\" " + std::to_string(record.status) +
         " " + std::to_string(record.bytes);
}

}  // namespace plait::http
