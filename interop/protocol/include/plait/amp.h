// AMP, Twisted's Asynchronous Messaging Protocol: commands with typed arguments and declared
// errors, in both directions over one connection. It speaks with Twisted's.
//
//   class DivisionByZero : public std::runtime_error { using std::runtime_error::runtime_error; };
//   using Divide = amp::Command<"Divide",
//       amp::Arguments<amp::Argument<"numerator", int>, amp::Argument<"denominator", int>>,
//       amp::Response<amp::Argument<"result", double>>,
//       amp::Errors<amp::ErrorCode<DivisionByZero, "ZERO_DIVISION">>>;
//
//   peer->respond<Divide>([](int numerator, int denominator) { ... return 0.5; });
//   Deferred<double> half = peer->callRemote<Divide>(1, 2);
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plait/deferred.h"
#include "plait/detail/amp_value.h"
#include "plait/error.h"
#include "plait/maybe_deferred.h"
#include "plait/protocol.h"

namespace plait::amp {

inline constexpr std::size_t kKeyMax = 255;         // bytes, by the protocol
inline constexpr std::size_t kValueMax = 65535;     // bytes, by the protocol
inline constexpr std::size_t kPairsMax = 1024;      // in one box
inline constexpr std::size_t kBoxMax = 16'777'216;  // bytes of one box
inline constexpr std::size_t kCallsMax = 65536;     // questions without an answer

// One message.
using Box = std::map<std::string, std::string, std::less<>>;

// A text as a template argument.
template <std::size_t N>
struct Name {
  constexpr Name(const char (&text)[N]) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < N; ++i) characters[i] = text[i];
  }
  constexpr std::string_view view() const noexcept { return {characters, N - 1}; }
  char characters[N] = {};
};

// Types: integers, bool, double, std::string (bytes, and text as UTF-8), std::vector of these.
template <Name Key, class T>
struct Argument {
  using Type = T;
  static constexpr std::string_view name() noexcept { return Key.view(); }
};
template <class... A>
struct Arguments {};
template <class... A>
struct Response {};
// An exception that the responder may throw, and the code for it on the wire.
template <class E, Name Code>
struct ErrorCode {
  using Error = E;
  static constexpr std::string_view code() noexcept { return Code.view(); }
};
template <class... E>
struct Errors {};

template <Name Verb, class A = Arguments<>, class R = Response<>, class E = Errors<>>
struct Command {
  using ArgumentList = A;
  using ResponseList = R;
  using ErrorList = E;
  static constexpr std::string_view name() noexcept { return Verb.view(); }
};

// The peer answered with an error that the command does not declare.
class RemoteError final : public Error {
 public:
  RemoteError(std::string errorCode, const std::string& description);
  const std::string& errorCode() const noexcept { return errorCode_; }

 private:
  std::string errorCode_;
};
// The peer knows no such command.
class UnhandledCommand final : public Error {
 public:
  explicit UnhandledCommand(const std::string& description);
};
// What came is not AMP, or lacks an argument.
class ProtocolError final : public Error {
 public:
  explicit ProtocolError(const std::string& what);
};

namespace detail {

template <class List>
struct Fields;
template <template <class...> class List, class... A>
struct Fields<List<A...>> {
  using Values = std::tuple<typename A::Type...>;

  template <class... V>
  static void write(Box& box, const V&... values) {
    (box.insert_or_assign(std::string(A::name()), encode<typename A::Type>(values)), ...);
  }
  static void writeTuple(Box& box, const Values& values) {
    std::apply([&box](const auto&... each) { write(box, each...); }, values);
  }
  static Values read(const Box& box) {
    return Values{decodeField<typename A::Type>(box, A::name())...};
  }

  // What callRemote() gives: nothing, the one value, or all as a tuple.
  static auto readResult(const Box& box) {
    if constexpr (sizeof...(A) == 1) {
      return std::get<0>(read(box));
    } else if constexpr (sizeof...(A) > 1) {
      return read(box);
    }
  }
  // What a responder returns.
  template <class V>
  static void writeResult(Box& box, const V& value) {
    if constexpr (sizeof...(A) == 1) {
      write(box, value);
    } else {
      writeTuple(box, value);
    }
  }

  template <class T>
  static T decodeField(const Box& box, std::string_view name) {
    const auto place = box.find(name);
    if (place == box.end()) throw ProtocolError("a box lacks the key '" + std::string(name) + "'");
    try {
      return decode<T>(place->second);
    } catch (const std::invalid_argument& error) {
      throw ProtocolError("the key '" + std::string(name) + "': " + error.what());
    }
  }
};

template <class List>
struct Codes;
template <class... E>
struct Codes<Errors<E...>> {
  // Throws the declared exception for this code, if there is one.
  static void raise([[maybe_unused]] std::string_view code,
                    [[maybe_unused]] const std::string& description) {
    (raiseIf<E>(code, description), ...);
  }
  // The code for a declared exception; empty for another.
  static std::string codeOf([[maybe_unused]] const Failure& failure) {
    std::string code;
    static_cast<void>(
        ((failure.check<typename E::Error>() != nullptr ? (code = std::string(E::code()), true)
                                                        : false) ||
         ...));
    return code;
  }

 private:
  template <class Each>
  static void raiseIf(std::string_view code, const std::string& description) {
    if (Each::code() == code) throw typename Each::Error(description);
  }
};

}  // namespace detail

// The protocol of one end. A responder that returns a value runs on the connection's fiber, and
// nothing else is received meanwhile: one that asks the peer back, or takes long, returns a
// Deferred (deferToGreenlet), and does not hold up others.
class AMP : public Protocol {
 public:
  ~AMP() override { *self_ = nullptr; }

  // Answers the command with what f, called with its arguments, returns or what its Deferred fires
  // with: nothing, the one value, or a std::tuple of all. A declared exception goes to the peer;
  // any other one too, as an unknown error, and is reported here, and the connection is closed, as
  // Twisted does. A second responder replaces the first. Never switches.
  template <class C, class F>
  void respond(F f) {
    using Fields = detail::Fields<typename C::ArgumentList>;
    using Answer = detail::Fields<typename C::ResponseList>;
    addResponder(
        std::string(C::name()),
        {[f = std::move(f)](const Box& question) mutable -> Deferred<Box> {
           // Deferreds live on; this is called again meanwhile.
           return std::apply(
                      [&f](auto&&... values) { return maybeDeferred(f, std::move(values)...); },
                      Fields::read(question))
               .addCallback([](auto&&... value) {
                 Box answer;
                 if constexpr (sizeof...(value) > 0) Answer::writeResult(answer, value...);
                 return answer;
               });
         },
         &detail::Codes<typename C::ErrorList>::codeOf});
  }

  // Asks the peer; fires with its answer, or fails with the error that it declared, with
  // RemoteError, UnhandledCommand, or what ended the connection. cancel() forgets the question, not
  // the work. May switch as Transport::write(). Throws: LimitError for what is too long;
  // ConnectionClosed; std::logic_error before the connection is made.
  template <class C, class... V>
  auto callRemote(const V&... arguments) {
    Box box;
    detail::Fields<typename C::ArgumentList>::write(box, arguments...);
    return ask(C::name(), std::move(box)).addBoth([](Result<Box> answer) {
      if (!answer.isValue()) {
        if (const auto* const remote = answer.failure().template check<RemoteError>()) {
          detail::Codes<typename C::ErrorList>::raise(remote->errorCode(), remote->what());
        }
      }
      return detail::Fields<typename C::ResponseList>::readResult(answer.value());
    });
  }
  // A command that nobody answers.
  template <class C, class... V>
  void callRemoteWithoutAnswer(const V&... arguments) {
    Box box;
    detail::Fields<typename C::ArgumentList>::write(box, arguments...);
    tell(C::name(), std::move(box));
  }

  void dataReceived(std::string_view data) override;
  // Overriders call it: it ends what waits for answers.
  void connectionLost(const Failure& reason) override;

 private:
  struct Responder {
    plait::detail::UniqueFunction<Deferred<Box>(const Box&)> answer;
    std::string (*codeOf)(const Failure&);
  };
  void addResponder(std::string name, Responder responder);
  Deferred<Box> ask(std::string_view command, Box box);
  void tell(std::string_view command, Box box);
  void send(const Box& box);
  bool takeBox();
  void received(Box box);
  void answerTo(Box question);
  void sendError(const std::string& tag, const std::string& code, const std::string& description);

  std::string buffer_;
  std::size_t parsed_ = 0;  // of the buffer, into the box that is incomplete
  Box incomplete_;
  std::size_t boxBytes_ = 0;
  std::uint64_t lastTag_ = 0;
  std::unordered_map<std::string, Deferred<Box>> waiting_;
  std::unordered_map<std::string, std::shared_ptr<Responder>> responders_;
  std::shared_ptr<AMP*> self_ = std::make_shared<AMP*>(this);  // emptied at the end
};

}  // namespace plait::amp
