#include "kill_accounting.h"

#include <array>
#include <deque>
#include <random>
#include <stdexcept>
#include <vector>

#include "kill_ledger.h"
#include "kill_victims.h"
#include "plait/cancel_shield.h"
#include "plait/event.h"
#include "plait/group.h"
#include "plait/tcp.h"
#include "plait/timeout.h"

namespace plait::test {
namespace {

using net::SocketStream;

struct End {
  SocketStream stream;
  Flow* in = nullptr;  // null until a server has read its client's number
  Flow* out = nullptr;
  std::vector<std::byte> header{};
  std::size_t toSend = 0;
  Event writerDone{};
  bool closed = false;  // by a strike
};

class Accounting final {
 public:
  explicit Accounting(const AccountingPlan& plan)
      : plan_(plan), random_(plan.seed), listener_(net::listen(plan.endpoint)) {}

  Account run() {
    runAll();
    check();
    return account_;
  }

 private:
  static constexpr std::size_t kAccepters = 2;

  void runAll() {
    TaskGroup group;
    group_ = &group;
    for (std::size_t i = 0; i < kAccepters; ++i) {
      group.spawn([this] { accepters_.keep([this] { acceptAll(); }); });
    }
    group.spawn([this] {
      strikeAll();
      over_ = true;
      finish();
    });
    opening_ = plan_.connections;
    for (std::size_t i = 0; i < plan_.connections; ++i) {
      group.spawn([this] {
        while (!over_) openOne();
        if (--opening_ == 0) allOpened_.set();
      });
    }
    group.join();
  }

  // Nothing is struck any more, so all goes to its end, and the backlog is emptied.
  void finish() {
    const bool inTime = withTimeout(
        plan_.finish,
        [this] {
          allOpened_.wait();
          while (account_.accepted < account_.connected) sleep(std::chrono::milliseconds(1));
          return true;
        },
        false);
    if (!inTime) throw std::runtime_error("somebody is parked for ever; " + unfinished());
    listener_.close();
  }

  // --- the actors

  void openOne() {
    SocketStream stream = net::connect(listener_.address());
    Connection& connection =
        connections_.emplace_back(static_cast<std::uint32_t>(account_.connected++));
    End& end = ends_.emplace_back(std::move(stream));
    end.out = &connection.up;
    end.in = &connection.down;
    serve(end);
  }

  void acceptAll() {
    while (listener_.isOpen()) {
      std::error_code error;
      SocketStream stream;
      if (!timedOut([&] { stream = listener_.accept(error); })) {
        if (error && listener_.isOpen()) throw std::system_error(error, "accepting");
        if (error) return;
        ++account_.accepted;
        End& end = ends_.emplace_back(std::move(stream));
        group_->spawn([this, &end] { serve(end); });
      }
    }
  }

  void serve(End& end) {
    end.stream.setSendBuffer(8192);
    if (end.out != nullptr) startWriter(end);
    readers_.keep([this, &end] { readAll(end); });
    if (end.out != nullptr) end.writerDone.wait();
    if (!end.closed) end.stream.close();
  }

  void startWriter(End& end) {
    end.toSend = Flow::kHeaderBytes + pick(plan_.flowBytes);
    group_->spawn([this, &end] {
      writers_.keep([this, &end] { writeAll(end); });
      end.writerDone.set();
    });
  }

  void readAll(End& end) {
    std::array<std::byte, 8192> buffer;
    for (;;) {
      const std::size_t room = pick(4) == 0 ? 1 + pick(16) : 1 + pick(buffer.size() - 1);
      std::error_code error;
      std::size_t count = 0;
      if (timedOut([&] { count = end.stream.readSome({buffer.data(), room}, error); })) continue;
      if (error && end.in != nullptr && !end.in->isCut()) {
        throw std::system_error(error, "reading, in " + end.in->describe());
      }
      if (error || count == 0) break;
      take(end, {buffer.data(), count});
      if (pick(16) == 0) sleep(Duration(pick(plan_.pause.count())));
    }
    if (end.in != nullptr) end.in->end();
  }

  void take(End& end, std::span<const std::byte> bytes) {
    while (end.in == nullptr && !bytes.empty()) {
      end.header.push_back(bytes.front());
      bytes = bytes.subspan(1);
      if (end.header.size() == Flow::kHeaderBytes) meet(end);
    }
    if (end.in != nullptr) end.in->take(bytes);
  }

  void meet(End& end) {
    const std::uint32_t number =
        Flow::numberIn(std::span<const std::byte, Flow::kHeaderBytes>(end.header)) / 2;
    if (number >= connections_.size()) throw std::runtime_error("a client with no number came");
    Connection& connection = connections_[number];
    if (connection.up.received() > 0) throw std::runtime_error("a client was accepted twice");
    end.in = &connection.up;
    end.out = &connection.down;
    end.in->take(end.header);
    startWriter(end);
  }

  void writeAll(End& end) {
    Flow& flow = *end.out;
    // At least the number, or the server would never know whose connection it was.
    const auto hasMore = [this, &flow, &end] {
      if (flow.isStruck() || flow.sent() < Flow::kHeaderBytes) return true;
      return !over_ && flow.sent() < end.toSend;
    };
    while (!flow.isBroken() && hasMore()) {
      if (!writeSome(end)) return;
    }
    try {
      end.stream.shutdownWrite();
    } catch (const IoError&) {
      if (!flow.isCut()) throw;
    }
  }

  // After a write that was struck, the next tells whether the stream is whole. False if it is gone.
  bool writeSome(End& end) {
    Flow& flow = *end.out;
    const bool wasStruck = flow.isStruck();
    const std::size_t bytes = 1 + pick(pick(4) == 0 ? plan_.writeBytes : 600);
    const std::string chunk = flow.content(flow.sent(), bytes);
    std::error_code error;
    flow.attempt(bytes);
    if (timedOut([&] { end.stream.writeAll(chunk, error); })) return true;
    if (!error) {
      flow.commit(bytes);
      return true;
    }
    if (flow.isCut()) return false;
    if (!wasStruck) throw std::system_error(error, "a write nobody struck, in " + flow.describe());
    ++account_.broken;
    flow.breakOff(refusalOf(end.stream, flow));
    return true;
  }

  static std::string refusalOf(SocketStream& stream, const Flow& flow) {
    try {
      const CancelShield shield;
      stream.writeAll("more");
    } catch (const IoError& error) {
      return error.what();
    }
    throw std::runtime_error("a broken stream takes more, in " + flow.describe());
  }

  // --- the strikes

  // A blocking call, sometimes with little time. True if the time was up.
  template <class F>
  bool timedOut(F&& call) {
    if (pick(8) != 0) {
      call();
      return false;
    }
    try {
      withTimeout(Duration(pick(plan_.pause.count())), call);
    } catch (const TimeoutError&) {
      ++account_.timeouts;
      return true;
    }
    return false;
  }

  void strikeAll() {
    while (readers_.kills() + writers_.kills() + accepters_.kills() < plan_.kills) {
      rest();
      if (pick(32) == 0) closeOne();
      const std::array<const Victims*, 3> kinds{&readers_, &writers_, &accepters_};
      if (const AnyGreenlet victim = kinds[pick(2)]->choose(random_())) {
        killBy(pick(kWaysToKill - 1), victim);
      }
    }
  }

  void rest() {
    const std::size_t way = pick(5);
    for (std::size_t i = 0; i < way; ++i) yield();
    if (way == 0) sleep(Duration(pick(plan_.pause.count())));
  }

  // Closes one end under whoever is parked in it.
  void closeOne() {
    if (ends_.empty()) return;
    End& end = ends_[pick(ends_.size() - 1)];
    if (end.out == nullptr || end.in->isCut() || !end.stream.isOpen()) return;
    end.in->cut();
    end.out->cut();
    end.closed = true;
    ++account_.closes;
    end.stream.close();
  }

  // --- the end

  void check() {
    account_.readerKills = readers_.kills();
    account_.writerKills = writers_.kills();
    account_.accepterKills = accepters_.kills();
    if (account_.accepted != account_.connected) throw std::runtime_error("a connection was lost");
    for (const Connection& each : connections_) {
      for (const Flow* flow : {&each.up, &each.down}) {
        const bool noNumber = flow->isCut() || flow->sent() < Flow::kHeaderBytes;
        if (noNumber && !flow->isEnded()) continue;  // the server never knew whose it was
        if (const std::string wrong = flow->disagreement(); !wrong.empty()) {
          throw std::runtime_error(wrong);
        }
        account_.bytes += flow->received();
      }
    }
  }

  std::string unfinished() const {
    std::string text = std::to_string(account_.connected) + " connected, " +
                       std::to_string(account_.accepted) + " accepted";
    for (const Connection& each : connections_) {
      if (!each.up.isEnded()) text += "; " + each.up.describe();
      if (!each.down.isEnded()) text += "; " + each.down.describe();
    }
    return text;
  }

  // From 0 to `most`.
  std::size_t pick(std::int64_t most) { return random_() % (static_cast<std::uint64_t>(most) + 1); }
  std::size_t pick(std::size_t most) { return random_() % (most + 1); }
  std::size_t pick(int most) { return pick(static_cast<std::size_t>(most)); }

  const AccountingPlan plan_;
  std::mt19937_64 random_;
  net::Listener listener_;
  TaskGroup* group_ = nullptr;
  std::deque<Connection> connections_;
  std::deque<End> ends_;
  Victims readers_;
  Victims writers_;
  Victims accepters_;
  std::size_t opening_ = 0;
  Event allOpened_;
  bool over_ = false;
  Account account_;
};

}  // namespace

Account runAccounting(const AccountingPlan& plan) { return Accounting(plan).run(); }

}  // namespace plait::test
