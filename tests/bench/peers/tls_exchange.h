// What the TLS servers of the benchmarks speak, so that one load generator drives them all: they
// echo, but for a message that begins with "GET ", which they answer with kBulkBytes, and one that
// begins with "PUT ", which is the first of kBulkBytes and answered with "OK". The answer to a GET
// has an HTTP head, so that an ordinary web server can give it, too.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

inline constexpr std::size_t kBulkBytes = 16 << 20;
inline constexpr std::size_t kBulkWriteBytes = 1 << 20;
inline constexpr std::size_t kTlsReadBytes = 16 * 1024;

inline constexpr std::string_view kBulkGet = "GET /bulk HTTP/1.1\r\nHost: localhost\r\n\r\n";
inline constexpr std::string_view kBulkPut = "PUT ";
inline constexpr std::string_view kBulkDone = "OK";

inline std::string bulkHead() {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBulkBytes) + "\r\n\r\n";
}
