// One target as a program of libFuzzer's: compiled once for each, with its name.

#include <cstddef>
#include <cstdint>

#include "fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  plait::fuzz::PLAIT_FUZZ_TARGET(std::as_bytes(std::span(data, size)));
  return 0;
}
