#include <openssl/err.h>

#include "plait/tls.h"

namespace plait::net {}  // namespace plait::net
