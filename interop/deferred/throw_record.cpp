#include "plait/detail/throw_record.h"

#include <unwind.h>

#include <array>
#include <new>
#include <utility>

#include "chain_record.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"

namespace plait::detail {
namespace {

// What was kept, the oldest overwritten first. It holds the exceptions, so that no other one can
// have their address.
struct Kept {
  struct Entry {
    std::exception_ptr error;
    Backtrace trace;
  };
  raw::Lock lock;
  std::array<Entry, 256> entries;
  std::size_t next = 0;
};

Kept& kept() {
  static auto* all = new Kept;  // threads may throw while the process exits
  return *all;
}

}  // namespace

void ThrowRecord::drop() noexcept { delete trace_; }

void ThrowRecord::take() noexcept {
  if (trace_ != nullptr) return;
  try {
    trace_ = new Backtrace(Backtrace::here());
  } catch (const std::bad_alloc&) {
    // Then there is none.
  }
}

void ThrowRecord::keepFor(const std::exception_ptr& error) noexcept {
  if (trace_ == nullptr) return;
  Kept& all = kept();
  std::exception_ptr overwritten;  // destroyed when the lock is free
  const raw::Locked locked(all.lock);
  for (const Kept::Entry& each : all.entries) {
    if (each.error == error) return;
  }
  Kept::Entry& entry = all.entries[all.next];
  all.next = (all.next + 1) % all.entries.size();
  overwritten = std::exchange(entry.error, error);
  entry.trace = std::move(*trace_);
}

std::string throwStackOf(const std::exception_ptr& error) {
  Kept& all = kept();
  Backtrace trace;
  {
    const raw::Locked locked(all.lock);
    const auto* place = all.entries.begin();
    while (place != all.entries.end() && place->error != error) ++place;
    if (place == all.entries.end() || !error) return {};
    trace = place->trace;
  }
  return trace.describe();
}

}  // namespace plait::detail

#if defined(__x86_64__)

// A frame with a personality of its own, which handles nothing: it is asked once while the unwinder
// searches, with the whole stack still there, and finds the record where the frame has put it.

extern "C" {

void plaitCallRecorded(void (*call)(void*), void* context, plait::detail::ThrowRecord* record);

_Unwind_Reason_Code plaitRecordThrow(int, _Unwind_Action actions, _Unwind_Exception_Class,
                                     _Unwind_Exception*, _Unwind_Context* context) {
  if ((actions & _UA_SEARCH_PHASE) != 0) {
    // What libgcc calls the frame's address here is where its stack ended at the call.
    (*reinterpret_cast<plait::detail::ThrowRecord* const*>(_Unwind_GetCFA(context)))->take();
  }
  return _URC_CONTINUE_UNWIND;
}
}

asm(R"(
  .text
  .hidden plaitCallRecorded
  .globl plaitCallRecorded
  .type plaitCallRecorded, @function
plaitCallRecorded:
  .cfi_startproc
  .cfi_personality 0x9b, DW.ref.plaitRecordThrow
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  pushq %rdx
  pushq %rdx
  movq %rdi, %rax
  movq %rsi, %rdi
  call *%rax
  leave
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
  .size plaitCallRecorded, . - plaitCallRecorded
  .hidden DW.ref.plaitRecordThrow
  .weak DW.ref.plaitRecordThrow
  .section .data.rel.local.DW.ref.plaitRecordThrow,"awG",@progbits,DW.ref.plaitRecordThrow,comdat
  .align 8
  .type DW.ref.plaitRecordThrow, @object
  .size DW.ref.plaitRecordThrow, 8
DW.ref.plaitRecordThrow:
  .quad plaitRecordThrow
  .text
)");

void plait::detail::ThrowRecord::callThrough(void (*function)(void*), void* context) {
  plaitCallRecorded(function, context, this);
}

#else

void plait::detail::ThrowRecord::callThrough(void (*function)(void*), void* context) {
  function(context);
}

#endif
