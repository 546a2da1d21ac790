// The commands that the AMP tests speak, in process and with Twisted.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/amp.h"

namespace plait::test {

class DivisionByZero : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Divide =
    amp::Command<"Divide",
                 amp::Arguments<amp::Argument<"numerator", int>, amp::Argument<"denominator", int>>,
                 amp::Response<amp::Argument<"result", double>>,
                 amp::Errors<amp::ErrorCode<DivisionByZero, "ZERO_DIVISION">>>;

// Answers with what it got.
using Mirror = amp::Command<
    "Mirror",
    amp::Arguments<amp::Argument<"integer", std::int64_t>, amp::Argument<"flag", bool>,
                   amp::Argument<"real", double>, amp::Argument<"text", std::string>,
                   amp::Argument<"bytes", std::string>, amp::Argument<"numbers", std::vector<int>>,
                   amp::Argument<"texts", std::vector<std::string>>>,
    amp::Response<amp::Argument<"integer", std::int64_t>, amp::Argument<"flag", bool>,
                  amp::Argument<"real", double>, amp::Argument<"text", std::string>,
                  amp::Argument<"bytes", std::string>, amp::Argument<"numbers", std::vector<int>>,
                  amp::Argument<"texts", std::vector<std::string>>>>;

// Answered when `count` have been asked: the one before the last first, then back to the first, and
// then the last, whose responder has to return.
using Gather =
    amp::Command<"Gather",
                 amp::Arguments<amp::Argument<"name", std::string>, amp::Argument<"count", int>>,
                 amp::Response<amp::Argument<"name", std::string>>>;

using Nothing = amp::Command<"Nothing">;
using Unknown = amp::Command<"Unknown">;
using Fail = amp::Command<"Fail">;

}  // namespace plait::test
