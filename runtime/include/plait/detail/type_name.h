// A type as its source spells it.
#pragma once

#include <string>
#include <typeinfo>

namespace plait::detail {

std::string typeName(const std::type_info& type);

}  // namespace plait::detail
