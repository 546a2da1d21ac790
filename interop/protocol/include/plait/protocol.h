// Twisted's Protocol and Factory over plait's streams. All calls of one connection come on its
// fiber, one after the other, so each of them may block: the connection waits meanwhile, others do
// not.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plait/address.h"
#include "plait/deferred.h"
#include "plait/failure.h"
#include "plait/transport.h"

namespace plait {

class Factory;

class Protocol {
 public:
  Protocol() = default;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;
  virtual ~Protocol() = default;

  // The connection is there.
  virtual void connectionMade() {}
  // At least one byte, in the order of the stream, however it was cut. Good until it returns.
  virtual void dataReceived(std::string_view) {}
  // The last call. The reason is a ConnectionDone, ConnectionLost or ConnectionAborted, or what a
  // call of this protocol threw, which is reported as well.
  virtual void connectionLost(const Failure&) {}

  // Of the connection; from connectionMade() on. Stays usable afterwards, without effect.
  // Throws: std::logic_error before.
  Transport& transport() const;
  // Null if it was made without one, and after connectionLost().
  Factory* factory() const noexcept { return factory_.get(); }

  void makeConnection(std::shared_ptr<Transport> transport);  // for transports
  void setFactory(std::shared_ptr<Factory> factory) noexcept { factory_ = std::move(factory); }

 private:
  std::shared_ptr<Transport> transport_;  // which lets go of this at the end
  std::shared_ptr<Factory> factory_;
};

// Implemented by a Protocol that goes on after one direction has ended; for others the end of the
// peer's stream is the end of the connection.
class HalfCloseableProtocol {
 public:
  virtual void readConnectionLost() = 0;   // the peer will write no more
  virtual void writeConnectionLost() = 0;  // loseWriteConnection() has been carried out

 protected:
  ~HalfCloseableProtocol() = default;
};

// Makes the protocols of a port or of a client. Held by shared_ptr by all that use it, and by its
// protocols until they have ended.
class Factory {
 public:
  Factory() = default;
  Factory(const Factory&) = delete;
  Factory& operator=(const Factory&) = delete;
  virtual ~Factory() = default;

  // For a new connection with this peer; null refuses it. May block.
  virtual std::shared_ptr<Protocol> buildProtocol(const net::Address& peer) = 0;
  // Before the first port or client that uses it begins, after the last has ended.
  virtual void startFactory() {}
  virtual void stopFactory() {}

  void doStart();
  void doStop();

  // One that makes a P for each connection.
  template <class P, class... Args>
  static std::shared_ptr<Factory> forProtocol(Args... args);

 private:
  int users_ = 0;
};

// A function as a factory.
class FunctionFactory final : public Factory {
 public:
  explicit FunctionFactory(std::function<std::shared_ptr<Protocol>()> make)
      : make_(std::move(make)) {}
  std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return make_(); }

 private:
  std::function<std::shared_ptr<Protocol>()> make_;
};

template <class P, class... Args>
std::shared_ptr<Factory> Factory::forProtocol(Args... args) {
  return std::make_shared<FunctionFactory>(
      [args...]() -> std::shared_ptr<Protocol> { return std::make_shared<P>(args...); });
}

}  // namespace plait
