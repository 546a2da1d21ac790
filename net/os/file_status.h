// stat(2)'s answer as plait tells it.
#pragma once

#include <sys/stat.h>

#include "plait/file.h"

namespace plait::os::detail {

FileType fileType(unsigned mode) noexcept;  // of st_mode
FileStatus fileStatus(const struct stat& status) noexcept;

}  // namespace plait::os::detail
