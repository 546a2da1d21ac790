#include "plait/coroutine.h"

#include "plait/cancellation.h"

namespace plait::detail {

CoroutinePromise::CoroutinePromise(const std::type_info& type, const std::source_location& at)
    : chain_(new Chain(type, at), ChainPointer::Adopt()) {
  // While it is suspended a cancel goes on to what it awaits; this is for the time when it runs.
  chain_->setCanceller([this](Chain&) {
    cancelAsked_ = true;
    return CancelAnswer::later;
  });
}

CoroutinePromise::~CoroutinePromise() {
  // Its loop has ended before it could.
  if (chain_ && !chain_->isCalled()) chain_->setCanceller(nullptr);
}

bool CoroutinePromise::beginFinish() noexcept {
  if (chain_->isCalled()) return false;
  return chain_->beginFire(chain_->createdAt());
}

void CoroutinePromise::unhandled_exception() {
  try {
    throw;
  } catch (const Cancellation& cancellation) {
    if (beginFinish()) {
      chain_->setCancelled(cancellation.reason());
      chain_->dropCancellerIfAny();
    }
    if (run_ != nullptr) {
      run_->cancellation = std::current_exception();
      return;
    }
    // The first run: it leaves through the call, and nobody will ever see the Deferred. The
    // compiler frees the coroutine's frame, though clang 19 does not destroy the promise.
    chain_->forgetFailure();
    chain_ = ChainPointer();
    throw;
  } catch (...) {
    if (beginFinish()) {
      chain_->setFailure(std::current_exception());
      chain_->dropCancellerIfAny();
    }
  }
}

Chain* CoroutinePromise::resume(std::coroutine_handle<> handle, CoroutinePromise& promise) {
  CoroutineRun run;
  promise.run_ = &run;
  handle.resume();
  if (!run.finished) return nullptr;
  ChainPointer chain = std::move(promise.chain_);
  handle.destroy();
  if (run.cancellation) {
    chain->runLater();
    std::rethrow_exception(run.cancellation);
  }
  return chain.detach();
}

}  // namespace plait::detail
