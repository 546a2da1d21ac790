// What can be said about a greenlet when it is spawned.
#pragma once

#include <cstddef>
#include <string>

namespace plait {

struct SpawnOptions {
  std::string name = {};       // empty: "greenlet-N"
  std::size_t stackBytes = 0;  // 0: the run's default (256 KiB); at least 64 KiB; pages are lazy
};

}  // namespace plait
