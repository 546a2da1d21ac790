// Removing a directory with everything in it, on a thread that may block.
#pragma once

#include <string>

namespace plait::os::detail {

// What is gone already is no error. Throws: IoError naming what could not be removed.
void removeTreeNow(const std::string& path);

}  // namespace plait::os::detail
