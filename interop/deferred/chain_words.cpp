#include <stdexcept>
#include <string>
#include <utility>

#include "chain_record.h"
#include "plait/detail/chain.h"
#include "plait/detail/loop.h"
#include "plait/detail/throw_record.h"
#include "plait/detail/type_name.h"
#include "plait/error.h"
#include "plait/failure.h"
#include "plait/report.h"

// What a chain tells of itself, and the errors that name it.

namespace plait::detail {
namespace {

std::string placeOf(const std::source_location& at) {
  return std::string(at.file_name()) + ":" + std::to_string(at.line());
}

}  // namespace

bool Chain::mayDropFire(const std::source_location& at) {
  if (std::exchange(swallowsNext_, false)) return false;
  const bool wasCancelled = firedAt_.line() == 0;
  std::string text = "the " + describe() + " was " +
                     (wasCancelled ? "cancelled" : "fired before, at " + placeOf(firedAt_)) +
                     ", and now it is fired at " + placeOf(at);
  if (record_ != nullptr) text += record_->describe();
  throw AlreadyCalledError(std::move(text));
}

std::string Chain::describe() const { return "Deferred created at " + placeOf(createdAt_); }

std::string Chain::describe(const std::type_info& type) const {
  std::string text = "Deferred<" + typeName(type) + "> created at " + placeOf(createdAt_) + ", ";
  if (waitingFor_ != nullptr) return text + "waiting for the " + waitingFor_->describe();
  if (chainedTo_ != nullptr) return text + "waiting for the " + chainedTo_->describe();
  if (!called_) return text + "not fired";
  if (running_) return text + "running its callbacks";
  if (paused_ > 0) return text + "paused";
  if (slot_.state() == State::empty) return text + "its result was taken";
  if (slot_.state() == State::value) return text + "has a value";
  return text + "failed: " + plait::describe(slot_.failure());
}

void Chain::reportUnhandled() noexcept {
  // What the end of a run has cut off is no news.
  const Loop* const loop = Loop::current();
  if (loop != nullptr && loop->isEnding() &&
      caughtBy(typeid(BrokenDeferredError), slot_.failure()) != nullptr) {
    return;
  }
  std::string context = "unhandled error in the " + describe();
  if (record_ != nullptr) context += record_->describe();
  if (const std::string thrown = throwStackOf(slot_.failure()); !thrown.empty()) {
    context += "\n  it was thrown:" + thrown + "\n ";
  }
  reportError(std::move(context), slot_.failure());
}

void Chain::throwSpent() const {
  throw AlreadyChainedError("the result of the " + describe() +
                            " was taken, or its type changed, at " + placeOf(spentAt_) +
                            "; share() it for several, or go on with the "
                            "Deferred that addCallback() returned");
}

void Chain::throwNotOriginal(const std::type_info& type) const {
  throw std::logic_error("callback() through a Deferred<" + typeName(type) + ">, but the " +
                         describe() + " began as a Deferred<" + typeName(*type_) +
                         ">: fire it through a handle from before its type changed");
}

void throwNotHome(const Chain* chain) {
  if (chain == nullptr) throw std::logic_error("a Deferred that was moved from was used");
  throw std::logic_error("the " + chain->describe() +
                         " was used on another thread than its own; go there with "
                         "callFromThread()");
}

}  // namespace plait::detail
