#include "plait/protocol.h"

#include <stdexcept>

namespace plait {

Transport& Protocol::transport() const {
  if (!transport_) throw std::logic_error("Protocol::transport() before connectionMade()");
  return *transport_;
}

void Protocol::makeConnection(std::shared_ptr<Transport> transport) {
  transport_ = std::move(transport);
  connectionMade();
}

void Factory::doStart() {
  if (users_ == 0) startFactory();
  ++users_;
}

void Factory::doStop() {
  if (users_ == 0) throw std::logic_error("Factory::doStop() without doStart()");
  if (--users_ == 0) stopFactory();
}

}  // namespace plait
