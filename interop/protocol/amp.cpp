#include "plait/amp.h"

#include <cmath>

#include "plait/cancellation.h"
#include "plait/report.h"

namespace plait::amp {
namespace {

constexpr std::string_view kAsk = "_ask";
constexpr std::string_view kAnswer = "_answer";
constexpr std::string_view kCommand = "_command";
constexpr std::string_view kError = "_error";
constexpr std::string_view kErrorCode = "_error_code";
constexpr std::string_view kErrorDescription = "_error_description";
constexpr std::string_view kUnknown = "UNKNOWN";
constexpr std::string_view kUnhandled = "UNHANDLED";

std::size_t readCount(std::string_view data, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(data[at])) << 8 |
         static_cast<unsigned char>(data[at + 1]);
}

void appendCount(std::string& bytes, std::size_t count) {
  bytes += static_cast<char>(count >> 8);
  bytes += static_cast<char>(count & 0xff);
}

std::string wire(const Box& box) {
  std::string bytes;
  for (const auto& [key, value] : box) {
    if (key.empty() || key.size() > kKeyMax) {
      throw LimitError("AMP: the key '" + key + "' has " + std::to_string(key.size()) +
                       " bytes; 1 to " + std::to_string(kKeyMax) + " are possible");
    }
    if (value.size() > kValueMax) {
      throw LimitError("AMP: the value of '" + key + "' has " + std::to_string(value.size()) +
                       " bytes; at most " + std::to_string(kValueMax) + " are possible");
    }
    appendCount(bytes, key.size());
    bytes += key;
    appendCount(bytes, value.size());
    bytes += value;
  }
  return bytes.append(2, '\0');
}

std::string valueOf(const Box& box, std::string_view key) {
  const auto place = box.find(key);
  return place == box.end() ? std::string() : place->second;
}

std::string hexadecimal(std::uint64_t number) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number, 16);
  static_cast<void>(error);
  return {digits, end};
}

}  // namespace

RemoteError::RemoteError(std::string errorCode, const std::string& description)
    : Error(std::errc::protocol_error, description), errorCode_(std::move(errorCode)) {}
UnhandledCommand::UnhandledCommand(const std::string& description)
    : Error(std::errc::function_not_supported, "the AMP peer: " + description) {}
ProtocolError::ProtocolError(const std::string& what)
    : Error(std::errc::bad_message, "AMP: " + what) {}

// --- asking

Deferred<Box> AMP::ask(std::string_view command, Box box) {
  if (waiting_.size() >= kCallsMax) {
    throw LimitError("AMP: " + std::to_string(waiting_.size()) + " calls wait for answers already");
  }
  const std::string tag = hexadecimal(++lastTag_);
  box.insert_or_assign(std::string(kAsk), tag);
  const Deferred<Box> answer;
  waiting_.emplace(tag, answer);
  try {
    tell(command, std::move(box));
  } catch (const Cancellation&) {
    // The question is on its way: its answer will be dropped, whatever it is.
    answer.addBoth([](const Result<Box>&) {});
    throw;
  } catch (...) {
    waiting_.erase(tag);
    throw;
  }
  return answer;
}

void AMP::tell(std::string_view command, Box box) {
  box.insert_or_assign(std::string(kCommand), std::string(command));
  if (!transport().isConnected()) {
    throw ConnectionClosed(ENOTCONN, "callRemote(" + std::string(command) + ")");
  }
  send(box);
}

void AMP::send(const Box& box) { transport().write(wire(box)); }

void AMP::connectionLost(const Failure& reason) {
  *self_ = nullptr;
  for (auto& [tag, answer] : std::exchange(waiting_, {})) {
    if (!answer.isCalled()) answer.errback(reason);
  }
}

// --- what comes

void AMP::dataReceived(std::string_view data) {
  buffer_.append(data);
  // A responder may block: what comes meanwhile waits in the kernel.
  try {
    while (!transport().isDisconnecting() && takeBox()) received(std::exchange(incomplete_, {}));
  } catch (const ProtocolError&) {
    reportError("an AMP connection", std::current_exception());
    return transport().abortConnection();
  }
  buffer_.erase(0, std::exchange(parsed_, 0));
}

// Goes on with the box that has come in part. Throws: ProtocolError.
bool AMP::takeBox() {
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(parsed_);
    if (rest.size() < 2) return false;
    const std::size_t keyBytes = readCount(rest, 0);
    if (keyBytes == 0) {
      parsed_ += 2;
      boxBytes_ = 0;
      return true;
    }
    if (keyBytes > kKeyMax) {
      throw ProtocolError("a key of " + std::to_string(keyBytes) + " bytes; is it AMP at all?");
    }
    if (rest.size() < 2 + keyBytes + 2) return false;
    const std::size_t valueBytes = readCount(rest, 2 + keyBytes);
    const std::size_t pairBytes = 2 + keyBytes + 2 + valueBytes;
    if (rest.size() < pairBytes) return false;
    boxBytes_ += pairBytes;
    if (incomplete_.size() >= kPairsMax || boxBytes_ > kBoxMax) {
      throw ProtocolError("a box that is too large");
    }
    incomplete_.insert_or_assign(std::string(rest.substr(2, keyBytes)),
                                 std::string(rest.substr(2 + keyBytes + 2, valueBytes)));
    parsed_ += pairBytes;
  }
}

void AMP::received(Box box) {
  if (box.contains(kCommand)) return answerTo(std::move(box));
  const std::string tag = valueOf(box, box.contains(kAnswer) ? kAnswer : kError);
  const auto place = waiting_.find(tag);
  if (place == waiting_.end())
    throw ProtocolError("an answer to what was not asked: '" + tag + "'");
  const Deferred<Box> answer = std::move(place->second);
  waiting_.erase(place);
  if (answer.isCalled()) return;  // cancelled
  if (!box.contains(kError)) return answer.callback(std::move(box));
  const std::string code = valueOf(box, kErrorCode);
  const std::string description = valueOf(box, kErrorDescription);
  if (code == kUnhandled) return answer.errback(UnhandledCommand(description));
  answer.errback(RemoteError(code, description));
}

// --- answering

void AMP::addResponder(std::string name, Responder responder) {
  responders_.insert_or_assign(std::move(name), std::make_shared<Responder>(std::move(responder)));
}

void AMP::answerTo(Box question) {
  const std::string command = valueOf(question, kCommand);
  const std::string tag = valueOf(question, kAsk);
  const auto place = responders_.find(command);
  if (place == responders_.end()) {
    return sendError(tag, std::string(kUnhandled), "Unhandled Command: '" + command + "'");
  }
  const std::shared_ptr<Responder> responder = place->second;
  maybeDeferred([&responder, &question] {
    return responder->answer(question);
  }).addBoth([self = self_, responder, tag, command](Result<Box> answer) {
    // The connection may have gone meanwhile.
    AMP* const amp = *self;
    if (amp == nullptr || !amp->transport().isConnected()) return;
    if (answer.isValue()) {
      if (tag.empty()) return;
      Box box = std::move(answer).value();
      box.insert_or_assign(std::string(kAnswer), tag);
      try {
        return amp->send(box);
      } catch (const LimitError&) {
        reportError("the answer to the AMP command " + command, std::current_exception());
        return amp->sendError(tag, std::string(kUnknown), "the answer is too long");
      }
    }
    const std::string code = responder->codeOf(answer.failure());
    if (!code.empty()) {
      try {
        answer.failure().raise();
      } catch (const std::exception& error) {
        return amp->sendError(tag, code, error.what());
      } catch (...) {
        return amp->sendError(tag, code, "");
      }
    }
    reportError("the responder of the AMP command " + command, answer.failure().exception());
    amp->sendError(tag, std::string(kUnknown), "Unknown Error");
    amp->transport().loseConnection();
  });
}

void AMP::sendError(const std::string& tag, const std::string& code,
                    const std::string& description) {
  if (tag.empty()) return;
  send({{std::string(kError), tag},
        {std::string(kErrorCode), code},
        {std::string(kErrorDescription), description.substr(0, kValueMax)}});
}

// --- values

namespace detail {

std::string encodeDouble(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  static_cast<void>(error);
  return {text, end};
}

double decodeDouble(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("'" + std::string(text) + "' is no number");
  }
  return value;
}

void appendCounted(std::string& list, std::string_view item) {
  if (item.size() > kValueMax) {
    throw LimitError("AMP: a list's item has " + std::to_string(item.size()) + " bytes");
  }
  appendCount(list, item.size());
  list += item;
}

std::string_view takeCounted(std::string_view& list) {
  if (list.size() < 2 || list.size() - 2 < readCount(list, 0)) {
    throw std::invalid_argument("a list that is cut off");
  }
  const std::string_view item = list.substr(2, readCount(list, 0));
  list.remove_prefix(2 + item.size());
  return item;
}

}  // namespace detail
}  // namespace plait::amp
